"""POST under /api beside what the console's forms share: import of records."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from device_models.registry import Customer, Device, Offer, Shop
from gateway.commands import Upsert
from gateway.web.access import IDENTITY, fields
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError

RECORDS_AT_MOST = 5000
MODELS: Mapping[str, type[BaseModel]] = {"devices": Device, "customers": Customer, "shops": Shop, "offers": Offer}


async def upsert(request: web.Request) -> web.StreamResponse:
    """POST /api/import/{kind}: ``{"records": […]}``, inserted or updated by id; all of them or none."""
    kind = request.match_info["kind"]
    records = (await fields(request)).get("records")
    if not isinstance(records, list) or len(records) > RECORDS_AT_MOST:
        raise FieldError("records", f"records: a list of at most {RECORDS_AT_MOST} objects")
    ready = tuple(_checked(kind, index, record) for index, record in enumerate(records))
    by = request[IDENTITY].name
    match kind:
        case "devices" | "customers" | "shops" | "offers":
            await request.app[DEPS].commands.submit(Upsert(kind, ready, by))
        case _:
            raise web.HTTPNotFound(text=f"There is nothing to import as {kind}.")
    return web.json_response({"ok": True, "records": len(ready)})


def _checked(kind: str, index: int, record: object) -> dict[str, Any]:
    model = MODELS.get(kind)
    if model is None:
        raise web.HTTPNotFound(text=f"There is nothing to import as {kind}.")
    try:
        return model.model_validate(record).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in ("records", index, *first["loc"]))
        raise FieldError(where, f"{where}: {first['msg']}") from error
