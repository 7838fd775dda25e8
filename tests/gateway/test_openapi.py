"""The API's description: nothing is missing in it, and the API keeps to it, whatever is sent."""

import asyncio
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import schemathesis
from aiohttp.test_utils import TestServer
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from gateway.web.api.openapi import FIELDS, QUERY, describe
from gateway.web.routes import API
from tests.gateway.web_fleet import TOKENS, town
from tests.gateway.web_visit import visit

DOCUMENT = describe(API, "http://127.0.0.1:8080")
OPERATIONS = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]
EXAMPLES = 3
"""Of each kind and address in one run; they differ from run to run."""


def test_every_address_is_described_once_and_by_a_name_of_its_own() -> None:
    assert len(OPERATIONS) == len(API)
    assert max(Counter(operation["operationId"] for operation in OPERATIONS).values()) == 1
    assert all(operation["summary"] for operation in OPERATIONS)


def test_what_is_said_of_fields_and_queries_is_about_addresses_that_there_are() -> None:
    assert {*FIELDS} <= {path for path, methods in DOCUMENT["paths"].items() if "post" in methods}
    assert {*QUERY} <= {path for path, methods in DOCUMENT["paths"].items() if "get" in methods}


def test_what_a_handler_reads_of_a_query_or_a_body_is_described() -> None:
    """As far as the handler reads it itself; what helpers read is theirs to tell."""
    asks = re.compile(r'request\.query(?:\.get(?:all)?\(|\[)"(\w+)"')
    takes = re.compile(r'(?:sent(?:\.get\(|\[)|(?:text_of|optional_text|flag_of)\(sent, )"(\w+)"')
    pages_own = {"began_as", "first"}
    untold = []
    for route in API:
        path, source = re.sub(r":[^}]*}", "}", route.path), inspect.getsource(route.handler)
        read, told = (asks, QUERY) if route.method == "GET" else (takes, FIELDS)
        untold += [(path, name) for name in set(read.findall(source)) - set(told.get(path, ())) - pages_own]
    assert untold == []


async def test_a_program_reads_the_description_of_the_gateway_it_talks_to(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        said = await (await web.api("GET", "/api/openapi.json", "viewer")).json()
        assert said["openapi"] == "3.1.0"
        assert said["servers"] == [{"url": web.town.deps.public_url}]
        assert set(said["paths"]) == set(DOCUMENT["paths"])


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A town's API on a loop of its own; yields its address."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    stack = AsyncExitStack()

    async def start() -> str:
        made = await stack.enter_async_context(town(folder))
        server = await stack.enter_async_context(TestServer(made.app()))
        return str(server.make_url("")).rstrip("/")

    def run(work: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, loop)
        return done.result(60)

    try:
        yield run(start())
    finally:
        run(stack.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_is_sent_the_answer_is_one_that_is_described(tmp_path: Path, mode: GenerationMode) -> None:
    with served(tmp_path) as base:
        schema = schemathesis.openapi.from_dict(describe(API, base))
        for found in schema.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()

            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def hold(case: Any) -> None:
                answer = case.call(base_url=base, headers={"Authorization": f"Bearer {TOKENS['lead']}"}, timeout=30)
                described = operation.definition.raw["responses"]  # noqa: B023 - called before the loop goes on
                assert str(answer.status_code) in described, (case.as_curl_command(), answer.text[:300])
                if answer.status_code >= 400:
                    assert answer.headers["content-type"] == ["application/problem+json"], case.as_curl_command()

            hold()
