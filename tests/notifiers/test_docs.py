from pathlib import Path

import pytest
from babel import Locale

from notifiers.reasons import CODES
from notifiers.receipts import SendState
from notifiers.replies import Intent
from notifiers.wording.catalogue import load_catalogues
from notifiers.wording.render import TEMPLATES

PAGE = (Path(__file__).parents[2] / "docs" / "messages.md").read_text(encoding="utf-8")

REPLIES = (Path(__file__).parents[2] / "docs" / "replies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("word", sorted([*CODES, *SendState, *TEMPLATES]))
def test_every_reason_state_and_template_is_explained(word: str) -> None:
    assert f"`{word}`" in PAGE


def test_every_language_and_answer_is_named() -> None:
    for language in load_catalogues():
        assert str(Locale(language).english_name) in PAGE, language
    for intent in set(Intent) - {Intent.TEXT}:
        assert intent.value in REPLIES, intent
