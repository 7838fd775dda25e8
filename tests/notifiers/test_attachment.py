"""Which files of a message are kept, and under which name."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.attachment import EXTENSIONS, LARGEST, MOST, choose, clean_name, kind_of

JPEG = b"\xff\xd8\xff\xe0 picture"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (JPEG, "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x18ftypavif", "image/avif"),
        (b"%PDF-1.4", "application/pdf"),
        (b"\x00\x00\x00\x18ftypmp42", None),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<html><script>", None),
        (b"MZ", None),
        (b"PK\x03\x04", None),
        (b" %PDF-1.4", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_first_bytes_are(content: bytes, kind: str | None) -> None:
    assert kind_of(content) == kind


@pytest.mark.parametrize(
    ("given_name", "kind", "name"),
    [
        ("../../etc/passwd", "image/png", "passwd.png"),
        ("a\u202egpj.exe", "image/jpeg", "agpj.exe.jpg"),
        ("photo.jpeg", "image/jpeg", "photo.jpeg"),
        ("", "image/png", "file-3.png"),
        (".png", "image/png", "png.png"),
        ('x"\r\nSet-Cookie: a=b', "application/pdf", 'x"Set-Cookie: a=b.pdf'),
        ("", None, "file-3"),
    ],
)
def test_a_name_is_without_folder_and_hidden_marks_and_ends_as_its_kind_does(
    given_name: str, kind: str | None, name: str
) -> None:
    assert clean_name(given_name, kind, 3) == name


@given(st.text(max_size=120), st.sampled_from(sorted(EXTENSIONS)))
def test_every_name_can_be_shown_and_saved_under(text: str, kind: str) -> None:
    name = clean_name(text, kind)
    assert name.rpartition(".")[2] in EXTENSIONS[kind]
    assert 0 < len(name) < 90
    assert not any(unicodedata.category(c).startswith("C") or c in "/\\" for c in name)


def test_what_is_too_large_or_too_many_or_no_picture_is_named_with_the_reason() -> None:
    files = choose([("film.mp4", b"ftyp"), ("empty.jpg", b""), ("huge.jpg", JPEG + bytes(LARGEST)), ("lid.jpg", JPEG)])
    assert [file.name for file in files.kept] == ["lid.jpg"]
    assert files.said() == (
        "[Not kept: film.mp4 (neither a picture nor a PDF), empty.jpg (empty), huge.jpg (larger than 10 MB)]"
    )
    many = choose([(f"{n}.jpg", JPEG) for n in range(MOST + 7)])
    assert len(many.kept) == MOST
    assert many.said().endswith("and 2 more]")
    assert choose([("a.jpg", JPEG), ("b.jpg", JPEG)], len(JPEG)).refused == (("b.jpg", "more than 0 MB together"),)
