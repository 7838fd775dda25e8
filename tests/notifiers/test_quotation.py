"""What a person wrote, out of what the common mail programs make of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.mail.quotation import keyword_text, without_quotation
from notifiers.replies import Intent, read_reply

SAID = "It is beeping again.\n\nCan somebody come on Friday?"

# Each as the program writes it in that language; the addresses and words are our own.
BELOW = {
    "gmail-en": "On Mon, Mar 2, 2026 at 10:00 AM Acme <service@acme.example> wrote:\n\n> Your freezer\n> is warm",
    "gmail-en-wrapped": (
        "On Mon, Mar 2, 2026 at 10:00 AM Acme Service and Repair Team <\nservice@acme.example> wrote:\n\n> Your freezer"
    ),
    "gmail-de": "Am Mo., 2. März 2026 um 10:00 Uhr schrieb Acme Service <\nservice@acme.example>:\n\n> Hallo",
    "thunderbird-de": "Am 02.03.26 um 10:00 schrieb Acme Service:\n> Hallo",
    "apple-de": "> Am 02.03.2026 um 10:00 schrieb Acme Service <service@acme.example>:\n> \n> Hallo",
    "gmail-fr": "Le lun. 2 mars 2026 à 10:00, Acme Service <service@acme.example> a écrit :\n\n> Bonjour",
    "gmail-es": "El lun, 2 mar 2026 a las 10:00, Acme Service (<service@acme.example>)\nescribió:\n\n> Hola",
    "gmail-pt": "Em seg., 2 de mar. de 2026 às 10:00, Acme <service@acme.example> escreveu:\n\n> Olá",
    "gmail-ar": (
        "في الاثنين، 2 مارس 2026 في 10:00 ص تمت كتابة ما يلي بواسطة Acme Service\n"
        "\u200f<\u202aservice@acme.example\u202c\u200f>:\u200f\n\n> مرحبا"
    ),
    "outlook-en": (
        "________________________________\nFrom: Acme Service <service@acme.example>\nSent: Monday, March 2, 2026\n"
        "To: Ana <ana@example.com>\nSubject: Your freezer\n\nYour freezer is warm"
    ),
    "outlook-de": "Von: Acme <service@acme.example>\nGesendet: Montag, 2. März 2026\nAn: Ana\nBetreff: Gerät\n\nHallo",
    "outlook-fr": "De : Acme <service@acme.example>\nEnvoyé : lundi 2 mars 2026\nÀ : Ana\nObjet : Appareil\n\nBonjour",
    "outlook-es": "De: Acme <service@acme.example>\nEnviado: lunes, 2 de marzo\nPara: Ana\nAsunto: Equipo\n\nHola",
    "outlook-ar": "من: Acme <service@acme.example>\nتاريخ الإرسال: 2 مارس\nإلى: Ana\nالموضوع: جهاز\n\nمرحبا",
    "old-outlook": "-----Original Message-----\nFrom: Acme\nYour freezer is warm",
    "old-outlook-de": "-----Ursprüngliche Nachricht-----\nVon: Acme\nHallo",
    "signature": "-- \nAna Souza\nPraça da Luz 99",
    "iphone-en": "Sent from my iPhone\n\n> On 2 Mar 2026, at 10:00, Acme <service@acme.example> wrote:\n> \n> Hi",
    "iphone-de": "Von meinem iPhone gesendet\n\n> Am 02.03.2026 um 10:00 schrieb Acme <service@acme.example>:",
    "gmx": "Diese Nachricht wurde von meinem Android Gerät mit GMX Mail gesendet.\nAm 02.03.26 schrieb Acme:",
    "iphone-fr": "Envoyé de mon iPhone\n\n> Le 2 mars 2026 à 10:00, Acme <service@acme.example> a écrit :",
    "outlook-mobile-es": "Obtener Outlook para Android\n__________________\nDe: Acme\nEnviado: lunes\nPara: A",
}


@pytest.mark.parametrize("below", BELOW.values(), ids=BELOW.keys())
def test_only_what_was_written_stays(below: str) -> None:
    assert without_quotation(f"{SAID}\n\n{below}\n") == SAID


def test_an_answer_below_the_quotation_stays() -> None:
    text = "On Mon, Mar 2, 2026 Acme <service@acme.example> wrote:\n> Your freezer is warm.\n\nYes, I opened it."
    assert without_quotation(text) == "Yes, I opened it."


def test_answers_between_quoted_lines_stay() -> None:
    text = "Acme wrote:\n> Is the lid closed?\nYes.\n> Does it beep?\nNo."
    assert without_quotation(text) == "Acme wrote:\nYes.\nNo."


@pytest.mark.parametrize(
    "text",
    [
        "On Monday my neighbour wrote: it beeps.",
        "On Monday my neighbour wrote:",
        "From: the kitchen, that is where it stands.",
        "Am Montag schrieb ich Ihnen schon",
        "Sent the photos to your colleague.",
        "El técnico escribió: vuelvo mañana",
    ],
)
def test_words_that_look_like_a_quotation_stay(text: str) -> None:
    assert without_quotation(f"{text}\nWhat now?") == f"{text}\nWhat now?"


@given(st.text(max_size=400))
def test_no_text_breaks_it_and_nothing_is_added(text: str) -> None:
    kept = without_quotation(text)
    assert set(kept.split()) <= set(text.split())


@pytest.mark.parametrize(
    "text",
    [
        "STOP\n\nBest regards,\nAna Souza",
        "Stop offers\n\nThanks\nAna",
        "STOPP\n\nMit freundlichen Grüßen\nAna Souza",
        "stop\n\nCordialement,\nAna SOUZA",
        "إيقاف\n\nمع أطيب التحيات\nAna",
    ],
)
def test_a_stop_with_a_closing_is_a_stop(text: str) -> None:
    assert read_reply(keyword_text(text, "Ana Souza")).intent is Intent.STOP


def test_whoever_signs_may_have_no_name_in_the_header() -> None:
    assert keyword_text("STOP\n\nBest regards\nAna Souza", "") == "STOP"


@pytest.mark.parametrize(
    "text",
    ["Stop\n\nthe beeping please, it wakes the baby", "STOP\n\nThanks\nplease call me about it", "Ana\n\nBest regards"],
)
def test_a_text_that_says_more_is_read_by_a_person(text: str) -> None:
    assert keyword_text(text, "Ana") == text
