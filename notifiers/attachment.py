"""Files that come with a message: pictures and PDFs, told by their content, whatever they say they are.

Source: WHATWG MIME Sniffing, "image type pattern matching" and "%PDF-"; ISO/IEC 14496-12 §4.3 (``ftyp``) and the brands
of HEIF (ISO/IEC 23008-12) and AVIF. SVG is left out: it is a page with scripts rather than a picture.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

LARGEST = 10 * 2**20
"""Bytes of one file: a telephone's photograph has three to eight megabytes."""
LARGEST_SENT = 15 * 2**20
"""Bytes of all files of one message that is written here: most mail servers take 20 to 25 MB, base64 and all."""
MOST = 10
"""Files of one message."""
_LONGEST_NAME = 80
_MOST_SAID = 5

_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"), "image/heic"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
}
_SOUNDS = (
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
)
EXTENSIONS = {
    "image/jpeg": ("jpg", "jpeg", "jpe", "jfif"),
    "image/png": ("png",),
    "image/gif": ("gif",),
    "image/webp": ("webp",),
    "image/heic": ("heic", "heif"),
    "image/avif": ("avif",),
    "application/pdf": ("pdf",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/mpeg": ("mp3",),
    "audio/amr": ("amr",),
    "audio/mp4": ("m4a",),
}
"""What is kept, with how such a file's name may end; the first is put behind a name that ends otherwise."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file that is kept. Its repr shows neither name nor content."""

    name: str = field(repr=False)
    kind: str
    """Its media type, by its content."""
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """What it is known by."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Files:
    """What of a message's files is kept, and what is not."""

    kept: tuple[Attachment, ...] = ()
    refused: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(name, reason): ``film.mp4``, ``neither a picture nor a PDF``."""

    def said(self) -> str:
        """Name those that are not kept in a line; empty where there are none."""
        if not self.refused:
            return ""
        more = len(self.refused) - _MOST_SAID
        named = ", ".join(f"{name} ({reason})" for name, reason in self.refused[:_MOST_SAID])
        return f"[Not kept: {named}{f' and {more} more' if more > 0 else ''}]"

    def with_words(self, words: str) -> str:
        """Return a message's text: its words, else the names of its files, and what was not kept."""
        named = words or ", ".join(file.name for file in self.kept)
        return "\n\n".join(part for part in (named, self.said()) if part)


def choose(found: Iterable[tuple[str, bytes]], largest_together: int | None = None, *, sounds: bool = False) -> Files:
    """Choose from files (name, content) what is kept; ``largest_together``: bytes of all of them; ``sounds``: too."""
    kept: list[Attachment] = []
    refused: list[tuple[str, str]] = []
    for number, (given, content) in enumerate(found, start=1):
        kind = kind_of(content) or (_sound(content) if sounds else None)
        name = clean_name(given, kind, number)
        together = sum(len(file.content) for file in kept) + len(content)
        if kind is None:
            refused.append((name, "neither a picture nor a PDF" if content else "empty"))
        elif len(content) > LARGEST:
            refused.append((name, f"larger than {LARGEST // 2**20} MB"))
        elif len(kept) >= MOST:
            refused.append((name, f"more than {MOST} files"))
        elif largest_together is not None and together > largest_together:
            refused.append((name, f"more than {largest_together // 2**20} MB together"))
        else:
            kept.append(Attachment(name, kind, content))
    return Files(tuple(kept), tuple(refused))


def kind_of(content: bytes) -> str | None:
    """Tell a file's media type by its first bytes; None for all that is not kept."""
    for magic, kind in _MAGIC:
        if content.startswith(magic):
            return kind
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return _BRANDS.get(content[8:12])
    return None


def _sound(content: bytes) -> str | None:
    """What telephones record: Opus in Ogg, AAC in MP4 (brand M4A), MP3, AMR."""
    if content[4:11] == b"ftypM4A":
        return "audio/mp4"
    return next((kind for magic, kind in _SOUNDS if content.startswith(magic)), None)


def clean_name(given: str, kind: str | None, number: int = 1) -> str:
    """Make a name that is safe to show and to save under: no folder, no hidden mark, its kind's ending."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    # Cc, Cf, Cs, Co, Cn: among them the marks that make "gpj.exe" look like "exe.jpg".
    plain = "".join(c for c in last if not unicodedata.category(c).startswith("C")).strip(" .")
    stem, dot, ending = plain.rpartition(".")
    endings = EXTENSIONS.get(kind or "", ())
    if not endings:
        return plain[-_LONGEST_NAME:] or f"file-{number}"
    stem = (stem if dot and ending.lower() in endings else plain)[:_LONGEST_NAME].strip(" .") or f"file-{number}"
    return f"{stem}.{ending.lower() if dot and ending.lower() in endings else endings[0]}"
