"""A customer's page for staff: who they are, what they own, what happened, what they agreed to."""

import sqlalchemy as sa
from aiohttp import web

from gateway.web.access import read
from gateway.web.pages.shell import show
from gateway.web.queries import customers, people


async def show_customer(request: web.Request) -> web.StreamResponse:
    """GET /customers/{id}."""
    card, around, consents = await read(request, _load, request.match_info["id"])
    if card is None:
        raise web.HTTPNotFound(text="There is no such customer.")
    return await show(request, "person.html", "", card=card, around=around, consents=consents)


def _load(
    connection: sa.Connection, customer_id: str
) -> tuple[people.CustomerCard | None, customers.Around, list[sa.RowMapping]]:
    return (
        people.customer(connection, customer_id),
        customers.around(connection, customer_id),
        people.last_consents(connection, customer_id),
    )
