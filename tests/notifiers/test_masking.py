import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.masking import mask


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("ana@x.de", "a…@x.de"),
        ('"a@b"@x.de', '"…@x.de'),
        ("+491511234567", "+49…67"),
        ("whatsapp:+491511234567", "whatsapp:+49…67"),
        ("123456789", "1…"),
        ("ab", "a…"),
        ("", ""),
    ],
)
def test_an_address_shows_only_its_ends(address: str, masked: str) -> None:
    assert mask(address) == masked


@given(local=st.text(alphabet="abcdefgh.+-", min_size=3, max_size=30), domain=st.sampled_from(["x.de", "example.com"]))
def test_a_mailbox_never_shows_more_than_its_first_character(local: str, domain: str) -> None:
    masked = mask(f"{local}@{domain}")

    assert masked == f"{local[0]}…@{domain}"


@given(st.from_regex(r"\+[1-9][0-9]{9,13}", fullmatch=True))
def test_a_number_keeps_most_of_its_digits_to_itself(number: str) -> None:
    assert len([c for c in mask(number) if c.isdigit()]) == 4
