"""Files of conversations over HTTP: taken in bounded, given out so that nothing in them runs here."""

from urllib.parse import quote

from aiohttp import web
from aiohttp.web_request import FileField

from gateway.web.access import form_of, read
from gateway.web.errors import FieldError
from gateway.web.language import say
from gateway.web.queries import attachments
from gateway.web.queries.attachments import FileLine
from notifiers.attachment import LARGEST, LARGEST_SENT, MOST, Attachment, choose

FIELD = "file"
LONGEST_AGE_S = 3600


class FilesNotKept(FieldError):
    """One of the files is no picture or PDF, or too large; nothing was done."""


async def uploaded(request: web.Request) -> tuple[Attachment, ...]:
    """Return the files that were sent with a form, by its field ``file``. Raises FilesNotKept where one is not kept."""
    if request.content_type != "multipart/form-data":
        return ()
    await form_of(request)
    sent = [field for field in (await request.post()).getall(FIELD, []) if isinstance(field, FileField)]
    # A form's empty file field comes as a file without name and content. One byte more says that it is too large.
    found = [(field.filename, field.file.read(LARGEST + 1)) for field in sent[: MOST + 1] if field.filename]
    files = choose(found, LARGEST_SENT)
    if files.refused:
        said = say(
            "Nothing was sent: {1} is no picture or PDF, or too large (10 MB each, 15 MB and 10 files together).",
            files.refused[0][0],
        )
        raise FilesNotKept(FIELD, said)
    return files.kept


async def show(request: web.Request) -> web.StreamResponse:
    """GET /attachments/{id}: the file itself."""
    found = await read(request, attachments.content, _number(request))
    if found is None:
        raise web.HTTPNotFound(text="There is no such file.")
    return served(*found)


def served(line: FileLine, content: bytes) -> web.Response:
    """Answer with a file. A browser saves it; as a picture it shows it, and runs nothing of it in either case.

    Source: RFC 6266 §5 (``filename*`` beside a plain name); RFC 8187 for its encoding.
    """
    plain = "".join(c if (c.isascii() and c.isalnum()) or c in "._-" else "_" for c in line.name)
    headers = {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(line.name, safe='')}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        # A file never changes; whoever may not see it any more finds it in no cache but their own.
        "Cache-Control": f"private, max-age={LONGEST_AGE_S}",
        "ETag": f'"{line.sha256}"',
    }
    return web.Response(body=content, content_type=line.kind, headers=headers)


def _number(request: web.Request) -> int:
    number = int(request.match_info["id"])
    if number >= 2**63:
        raise web.HTTPNotFound(text="There is no such file.")
    return number
