"""A request's raw body, bounded: signatures are over every byte of it."""

from aiohttp import web


async def read_body(request: web.Request, largest: int) -> bytes:
    """Read it to its end. Raises HTTPRequestEntityTooLarge beyond ``largest`` bytes."""
    body = bytearray()
    # One read returns what has arrived so far, which may be half of it.
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > largest:
            raise web.HTTPRequestEntityTooLarge(largest, len(body))
    return bytes(body)
