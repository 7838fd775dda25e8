"""How stored things look in JSON. Times are RFC 3339 in UTC; unknown is null."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from aiohttp import web

from gateway.web.queries.attachments import FileLine
from gateway.web.queries.cases import CaseLine, TimelineEntry
from gateway.web.queries.devices import DeviceLine
from gateway.web.queries.messages import MessageLine
from gateway.web.queries.visits import Decision
from gateway.web.wording import title_of


def answer(data: object) -> web.Response:
    """Write ``data`` as JSON."""
    return web.Response(body=orjson.dumps(data, option=orjson.OPT_UTC_Z), content_type="application/json")


def listed(items: list[dict[str, Any]], limit: int) -> web.Response:
    """Write one page: ``items`` and ``next``, the cursor of the page after it (null at the end)."""
    more = items[limit - 1]["id"] if len(items) > limit else None
    return answer({"items": items[:limit], "next": str(more) if more is not None else None})


def case(line: CaseLine) -> dict[str, Any]:
    """Present a case."""
    return {
        "id": line.id,
        "title": title_of(line.explanation, line.rule),
        "rule": line.rule,
        "fault": line.fault,
        "kind": line.kind,
        "severity": line.severity,
        "purpose": line.purpose,
        "state": line.state,
        "on_arrival": line.on_arrival,
        "device_id": line.device_id,
        "device_name": line.device_name,
        "customer_id": line.customer_id,
        "customer_name": line.customer_name,
        "opened_at": line.opened_at,
        "updated_at": line.updated_at,
        "response_due_at": line.response_due_at,
        "sla": {
            "policy": line.sla_policy,
            "hours": line.sla_hours,
            "target": line.sla_target,
            "since": line.sla_since,
            "warn_at": line.sla_warn_at,
            "due_at": line.sla_due_at,
            "paused": line.sla_paused,
        },
        "waiting_since": line.waiting_since,
        "first_response_at": line.first_response_at,
        "acknowledged_at": line.acknowledged_at,
        "assignee": line.assignee,
        "team": line.team,
        "region": line.region,
        "needs_reply": line.needs_reply,
        "waiting_for_approval": line.waiting,
        "told_at": line.told_at,
        "resolved_at": line.resolved_at,
        "resolved_by": line.resolved_by,
        "resolution": line.resolution,
        "reopened": line.reopened,
        "previous_case_id": line.previous_case_id,
        "snoozed_until": line.snoozed_until,
        "merged_into": line.merged_into,
        "escalated_at": line.escalated_at,
        "field_task": line.field_task,
        "cause": line.cause,
        "fix": line.fix,
        "version": line.version,
    }


def entry(line: TimelineEntry) -> dict[str, Any]:
    """Present a line of a timeline."""
    return {
        "id": line.id,
        "case_id": line.case_id,
        "at": line.at,
        "kind": line.kind,
        "author": line.author,
        "text": line.text or None,
        "body": line.body,
        "notification_id": line.notification_id,
        "channel": line.channel or line.body.get("channel"),
        "message_state": line.message_state,
        "attachments": [file(one) for one in line.files],
    }


def file(line: FileLine) -> dict[str, Any]:
    """Present a file of a conversation."""
    return {**asdict(line), "url": f"/api/attachments/{line.id}"}


def message(line: MessageLine, rule: str | None = None, opened_at: datetime | None = None) -> dict[str, Any]:
    """Present a message; its address stays out."""
    return {
        **asdict(line),
        "rule": rule,
        "opened_at": opened_at,
        "told_at": line.accepted_at,
    }


def device(line: DeviceLine) -> dict[str, Any]:
    """Present a device."""
    shown = asdict(line)
    del shown["state"]
    shown["open_cases"] = [{"id": case_id, "severity": severity} for case_id, severity in line.open_cases]
    return shown


def decision(line: Decision) -> dict[str, Any]:
    """Present what came of a visit; ``reason`` names what withheld the offer."""
    return asdict(line)


def rejection(row: sa.RowMapping) -> dict[str, Any]:
    """Present a rejected message; the first bytes in hexadecimal."""
    return {**plain(row), "first_bytes": row["first_bytes"].hex()}


def plain(row: Mapping[str, Any] | sa.RowMapping) -> dict[str, Any]:
    """Present a row as it is."""
    return {str(name): value for name, value in row.items()}
