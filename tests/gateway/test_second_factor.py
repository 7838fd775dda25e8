"""Authenticator codes, recovery codes, and the seal on the secret."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web import second_factor
from gateway.web.second_factor import Sealer

# RFC 6238, appendix B: the SHA-1 rows, whose last six digits are the six-digit codes.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_CODES = {59: "287082", 1111111109: "081804", 1234567890: "005924", 2000000000: "279037"}


@pytest.mark.parametrize(("unix_s", "code"), RFC_CODES.items())
def test_codes_are_those_of_the_rfc(unix_s: int, code: str) -> None:
    assert second_factor.step_of(code, RFC_SECRET, datetime.fromtimestamp(unix_s, UTC)) == unix_s // 30


@given(st.integers(1_600_000_000, 3_800_000_000), st.integers(-3, 3))
def test_a_code_counts_one_step_before_and_after_and_no_longer(unix_s: int, steps_off: int) -> None:
    wall = datetime.fromtimestamp(unix_s, UTC)
    step = unix_s // 30 + steps_off
    code = pyotp.TOTP(RFC_SECRET).generate_otp(step)
    found = second_factor.step_of(code, RFC_SECRET, wall)
    # Two steps may happen to have one code; then the newer one is found.
    assert (found is not None and found >= step) if abs(steps_off) <= 1 else (found is None or found != step)


@given(st.text(max_size=12))
def test_whatever_is_typed_is_right_or_wrong_and_never_an_error(typed: str) -> None:
    found = second_factor.step_of(typed, RFC_SECRET, datetime.fromtimestamp(59, UTC))
    assert found is None or typed.replace(" ", "").isdecimal()


def test_a_recovery_code_is_known_however_it_was_typed() -> None:
    codes = second_factor.new_recovery_codes()
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    for code in codes:
        assert second_factor.recovery_hash(f" {code.upper().replace('-', ' ')} ") == second_factor.recovery_hash(code)


def test_only_the_key_that_sealed_a_secret_opens_it() -> None:
    sealed = Sealer("one key").seal(RFC_SECRET)
    assert RFC_SECRET not in sealed
    assert Sealer("one key").open(sealed) == RFC_SECRET
    assert Sealer("another").open(sealed) is None
    assert Sealer("one key").open("no seal \udcff at all") is None


def test_the_picture_is_svg_that_a_page_may_hold() -> None:
    uri = second_factor.provisioning_uri(RFC_SECRET, "mia & co", "Acme")
    assert uri.startswith("otpauth://totp/Acme:mia%20%26%20co?secret=")
    drawn = ElementTree.fromstring(second_factor.qr_svg(uri))  # noqa: S314 - we drew it
    assert drawn.tag.endswith("svg")
    assert all(name not in drawn.attrib for name in ("style", "onload"))


def test_a_secret_is_as_long_as_the_rfc_asks() -> None:
    assert len(second_factor.new_secret()) * 5 >= 160
