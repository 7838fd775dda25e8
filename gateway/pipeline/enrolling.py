"""Customers coming in, within one commit: claims, checks, messengers, and how they want to be reached."""

from typing import Any, assert_never

from gateway.commands import CustomerWrote
from gateway.commands.enrolment import (
    AnswerCheck,
    DropAddress,
    EnrolmentCommand,
    ForgetChecks,
    LinkAddress,
    MakeClaimCodes,
    MakeLinkCode,
    RevokeLinks,
    SaveSettings,
    SendCheck,
    SendLink,
    StartClaim,
)
from gateway.people import checks, enrolment
from gateway.pipeline.owners import Devices, give
from gateway.transaction import Transaction
from notifiers.link_codes import read_link_code

_TYPED = frozenset({"page", "email"})
"""Where nobody links by sending a code: the address is proven in other ways."""


def run(tx: Transaction, devices: Devices, command: EnrolmentCommand) -> Any:
    """Run one command of ``gateway.commands.enrolment``."""
    match command:
        case MakeClaimCodes():
            return enrolment.make_claim_codes(tx, command)
        case StartClaim():
            return enrolment.start_claim(tx, command)
        case SendCheck():
            return enrolment.send_check(tx, command)
        case AnswerCheck():
            return _answer(tx, devices, command)
        case MakeLinkCode():
            return enrolment.make_link_code(tx, command)
        case LinkAddress():
            return enrolment.link_address(tx, command.channel, command.address, command.code)
        case DropAddress():
            return enrolment.drop_address(tx, command.customer_id, command.channel)
        case SaveSettings():
            return enrolment.save_settings(tx, command)
        case RevokeLinks():
            return enrolment.revoke_links(tx, command.customer_id, command.by)
        case SendLink():
            return enrolment.send_link(tx, command.customer_id)
        case ForgetChecks():
            return checks.forget(tx)
        case _:
            assert_never(command)


def linked_by(tx: Transaction, command: CustomerWrote) -> bool:
    """Tell whether a message was a link code, and heed it."""
    if command.channel in _TYPED:
        return False
    code = command.link_code or read_link_code(command.text)
    return code is not None and enrolment.link_address(tx, command.channel, command.address, code) is not None


def _answer(tx: Transaction, devices: Devices, command: AnswerCheck) -> dict[str, Any]:
    check, left = checks.answer(tx, command.token, command.code)
    if check is None:
        return {"right": False, "left": left}
    right = {"right": True, "left": left, "kind": check["kind"]}
    if check["kind"] == "claim":
        taken = enrolment.take_claim(tx, check)
        if taken is None:
            return {"right": False, "left": 0}
        customer, device_id = taken
        give(tx, devices, device_id, customer.id, "customer")
        device = tx.registry.devices[device_id]
        enrolment.welcome(tx, customer, device, f"claim:{device_id}:{tx.now.isoformat()}", via=check["channel"])
        return {**right, "customer_id": customer.id, "device_id": device_id}
    customer_id = check["customer_id"]
    if customer_id not in tx.registry.customers:
        return {"right": False, "left": 0}
    if check["kind"] == "address":
        customer = tx.registry.customers[customer_id]
        customer = enrolment.put_address(tx, customer, check["channel"], check["address"], "check")
        enrolment.welcome(tx, customer, None, f"check:{check['token_hash'][:16]}", via=check["channel"])
    return {**right, "customer_id": customer_id}
