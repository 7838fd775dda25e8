"""Commands from the command line: to the gateway that runs on a data directory, or straight into its store.

A running gateway listens on loopback and writes where, with a token, to ``control.json`` in its data directory,
readable by its owner alone. Where none runs, the command is committed by the same code under the directory's lock.
"""

import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import aiohttp
from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from device_models.event import Message, Rejection
from gateway.clock import Clock
from gateway.commands import (
    Command,
    CommandRefused,
    Commands,
    Hold,
    PromoteRule,
    PutFilesLive,
    RollBackRules,
    SaveApiToken,
    SaveUser,
    Upsert,
)
from gateway.commands.accounts import DropSecondFactor, HandToProvider, OpenAccountLink, SetDisabled
from gateway.commands.enrolment import MakeClaimCodes, RevokeLinks
from gateway.commands.offers import RedeemOffers
from gateway.commands.people import EraseCustomer, LearnDevices, PeopleCommand, ReplaceDevice, TransferDevice
from gateway.commands.staff import SaveHours, SavePolicy, SaveRota, SaveTeam
from gateway.config import Config
from gateway.data_lock import DataInUse, lock_data
from gateway.errors import StartRefused
from gateway.people.registry import Registry, load_registry
from gateway.pipeline.commit import Committer, Work
from gateway.rulebook.files import load_profiles
from gateway.rulebook.versions import detector_at_start
from gateway.secrets_file import load_secrets
from gateway.store.store import Store
from gateway.web.links import LinkSigner
from rules.detect import Detector
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex

_KINDS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (
        DropSecondFactor,
        HandToProvider,
        Hold,
        OpenAccountLink,
        PromoteRule,
        PutFilesLive,
        RollBackRules,
        SaveApiToken,
        SaveUser,
        SetDisabled,
        Upsert,
        *get_args(PeopleCommand),
        RedeemOffers,
        MakeClaimCodes,
        RevokeLinks,
        SaveHours,
        SavePolicy,
        SaveTeam,
        SaveRota,
    )
}


def submit_command(config: Config, command: Command) -> Any:
    """Run one command from outside the service's process and return its result (JSON-ready).

    Raises CommandRefused, or StartRefused where neither a running gateway nor the store can be reached.
    """
    try:
        with lock_data(config.data_dir):
            return _commit(config, command)
    except DataInUse:
        import asyncio

        return asyncio.run(_send(config.data_dir, command))


def _commit(config: Config, command: Command) -> Any:
    clock = Clock()
    store = Store(config.store_url)
    try:
        with store.read() as connection:
            registry = load_registry(connection)
        keys = load_secrets(config.data_dir)
        links = LinkSigner(keys.link_keys, keys.current_link_key, clock.now, config.public_url)
        # Only what touches rules needs the profiles; a mistake in one must not be in the way of ``hold``.
        about_devices = _moves_devices(command, registry)
        about_rules = about_devices or isinstance(command, PutFilesLive | RollBackRules | PromoteRule)
        profiles = load_profiles(config) if about_rules else {}
        if about_devices:
            detector = detector_at_start(store, config, profiles, registry.shops.values())
        else:
            detector = Detector(RuleSet(), profiles, ShopIndex(()))
        committer = Committer(store, _decode_nothing, detector, profiles, registry, config, links)
        committer.open(clock.now())
        result = committer.run(Work(commands=[command]), clock.now()).results[0]
    finally:
        store.close()
    if isinstance(result, BaseException):
        raise result
    return result


def _moves_devices(command: Command, registry: Registry) -> bool:
    """Tell whether states of devices are touched, whose timers only their rules know."""
    if isinstance(command, Upsert) and command.kind == "devices":
        known = ((registry.devices.get(str(row.get("id"))), row.get("customer_id")) for row in command.records)
        return any(device and device.customer_id and owner and device.customer_id != owner for device, owner in known)
    return isinstance(command, TransferDevice | ReplaceDevice | LearnDevices | EraseCustomer)


def _decode_nothing(message: Message) -> Rejection:
    return Rejection.of(message, "this process reads no messages")


async def _send(data_dir: Path, command: Command) -> Any:
    name = type(command).__name__
    try:
        where = json.loads((data_dir / "control.json").read_text(encoding="utf-8"))
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                where["url"],
                json={"command": name, "fields": _KINDS[name].dump_python(command, mode="json")},
                headers={"Authorization": f"Bearer {where['token']}"},
            ) as response,
        ):
            answer = await response.json()
    except (OSError, aiohttp.ClientError, json.JSONDecodeError) as error:
        raise StartRefused(
            f"the gateway on {data_dir} runs but does not answer: {error}; is it just starting?"
        ) from error
    if "refused" in answer:
        raise CommandRefused(answer["refused"])
    return answer["result"]


@asynccontextmanager
async def serve_control(data_dir: Path, commands: Commands) -> AsyncIterator[None]:
    """Take commands from this machine's command line while the block runs."""
    token = secrets.token_urlsafe(32)

    async def handle(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(given.encode(), token.encode()):
            raise web.HTTPForbidden
        body = await request.json()
        try:
            command = _KINDS[body["command"]].validate_python(body["fields"])
            result = await commands.submit(command)
        except (CommandRefused, ValidationError, KeyError) as error:
            return web.json_response({"refused": str(error)})
        return web.json_response({"result": result})

    app = web.Application(client_max_size=512 * 2**20)
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    path = data_dir / "control.json"
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        aside = path.with_suffix(".new")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump({"url": f"http://{host}:{port}/", "token": token}, file)
        aside.replace(path)
        yield
    finally:
        path.unlink(missing_ok=True)
        await runner.cleanup()
