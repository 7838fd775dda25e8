"""Cutting the message that is answered, and the signature, off a mail's text.

Mail programs have no common way to mark a quotation, so this knows how the common ones begin theirs, in English,
German, French, Spanish, Portuguese and Arabic. Where nothing is recognised the whole text stays: a person then reads
too much rather than too little.
"""

import re

from notifiers.replies import Intent, read_reply


def _any(*phrases: str) -> str:
    return "|".join(phrases)


# "On 2 March 2026 at 10:00, Acme <help@acme.example> wrote:", which programs wrap after some 70 characters.
_ATTRIBUTION = re.compile(
    # With a date: "On Monday my neighbour wrote:" is the customer's own.
    r"^(?=.*\d)\s*(?:"
    + _any(
        r"On\b.{6,300}\bwrote",
        r"(?:Am|Den|Op)\b.{6,300}\b(?:schrieb|geschrieben|schreef|skrev)\b.{0,200}",
        r"Le\b.{6,300}\ba écrit",
        r"El\b.{6,300}\bescribió",
        r"Em\b.{6,300}\bescreveu",
        r"Il\b.{6,300}\bha scritto",
        r"(?:في|بتاريخ|يوم)\s.{6,300}(?:كتب|كتبت|تمت كتابة ما يلي بواسطة|كتب ما يلي).{0,200}",
    )
    + r")\s*:\s*$",
    re.DOTALL,
)
_DIVIDER = re.compile(
    r"^\s*-{2,}\s*(?:"
    + _any(
        "Original Message",
        "Original-Nachricht",
        "Ursprüngliche Nachricht",
        "Message d['’]origine",
        "Message original",
        "Mensaje original",
        "Mensagem original",
        "الرسالة الأصلية",
        "Forwarded message",
        "Weitergeleitete Nachricht",
    )
    + r")\s*-{2,}\s*$",
    re.IGNORECASE,
)
_HEADERS = tuple(
    re.compile(rf"^\s*\*?(?:{names})\s*:?\*?\s*:?", re.IGNORECASE)
    for names in (
        _any("From", "Von", "De", "Da", "من"),
        _any(
            "Sent",
            "Date",
            "Gesendet",
            "Datum",
            "Envoyé",
            "Enviado",
            "Enviada",
            "Fecha",
            "Data",
            "تاريخ الإرسال",
            "التاريخ",
        ),
        _any("To", "An", "À", "Para", "A", "إلى"),
        _any("Subject", "Betreff", "Objet", "Asunto", "Assunto", "الموضوع"),
    )
)
_RULE = re.compile(r"^\s*_{10,}\s*$")
_SIGNATURE = re.compile(
    r"^\s*(?:--\s*$|(?:"
    + _any(
        r"Sent from (?:my|Mail|Outlook|Yahoo|Proton|Samsung)\b",
        r"Sent (?:with|using)\b",
        r"Get Outlook for\b",
        r"Von mein\w+ .{1,40} gesendet",
        r"Gesendet (?:von|mit|über)\b",
        r"Diese Nachricht wurde von mein\w+ .{1,60} gesendet",
        r"(?:Holen Sie sich )?Outlook für (?:iOS|Android)",
        r"Envoyé (?:de(?:puis)?|à partir de|avec)\b",
        r"(?:Téléchargez|Obtenir|Télécharger) Outlook pour\b",
        r"Enviad[oa] (?:desde|do|de|com|con|pelo)\b",
        r"(?:Obtener|Obter) (?:o )?Outlook para\b",
        r"(?:أُرسلت|أرسلت|تم الإرسال|مرسل) من\b",
        r"احصل على Outlook\b",
    )
    + r").{0,120}$)",
    re.IGNORECASE,
)
_ATTRIBUTION_LINES = 4


def without_quotation(text: str) -> str:
    """Cut the message that is answered and the signature; keep answers written between or below quoted lines."""
    lines = text.split("\n")
    kept: list[str] = []
    i = 0
    while i < len(lines):
        line = lines[i]
        if _SIGNATURE.match(line):
            if any(words.strip() for words in kept):
                break
            i += 1
            continue
        if line.lstrip().startswith(">"):
            i += 1
            continue
        taken = _attribution(lines, i)
        if taken:
            if not _quoted_below(lines, i + taken):
                break
            i += taken
            continue
        if _DIVIDER.match(line) or _is_header_block(lines, i + 1 if _RULE.match(line) else i):
            break
        kept.append(line.rstrip())
        i += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def _attribution(lines: list[str], at: int) -> int:
    """How many lines the sentence takes that introduces a quotation; 0 where none begins here."""
    if not lines[at].strip():
        return 0
    for count in range(1, min(_ATTRIBUTION_LINES, len(lines) - at) + 1):
        joined = " ".join(line.strip() for line in lines[at : at + count])
        if _ATTRIBUTION.match(_without_bidi(joined)):
            return count
    return 0


def _quoted_below(lines: list[str], at: int) -> bool:
    following = next((line for line in lines[at:] if line.strip()), "")
    return following.lstrip().startswith(">")


def _is_header_block(lines: list[str], at: int) -> bool:
    """Whether Outlook's "From: … Sent: … To: … Subject: …" begins here; three of the four, the first of them From."""
    following = [_without_bidi(line) for line in lines[at : at + 8] if line.strip()][:5]
    if not following or not _HEADERS[0].match(following[0]) or ":" not in following[0]:
        return False
    return sum(any(h.match(line) and ":" in line for line in following) for h in _HEADERS) >= 3


def _without_bidi(text: str) -> str:
    return re.sub(r"[\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]", "", text)


_CLOSING = re.compile(
    r"^\W*(?:"
    + _any(
        r"(?:best|kind|warm)?\s*regards",
        r"(?:all the )?best",
        "cheers",
        "sincerely",
        "yours .*",
        r"many thanks|thanks|thank you",
        r"(?:mit )?(?:freundliche\w*|beste\w*|viele\w*|liebe\w*|schöne\w*|herzliche\w*)\s+gr(?:u|ü)(?:ß|ss)\w*(?: .*)?",
        "mfg|lg|vg|gruß|grüße|gruss",
        r"danke(?: .*)?|vielen dank",
        "(?:bien )?cordialement|salutations.*|merci(?: .*)?",
        "(?:un )?(?:cordial )?salud(?:o|os)(?: cordiales)?|gracias|atentamente",
        "atenciosamente|cumprimentos|obrigad[oa]|abraços",
        "مع (?:أطيب )?(?:التحيات|تحياتي|الشكر).*|تحياتي|وشكرا|شكرا",
    )
    + r")\W*$",
    re.IGNORECASE,
)


def keyword_text(text: str, name: str) -> str:
    """Return the part of ``text`` in which a keyword may stand: without the closing phrase and the sender's ``name``.

    "STOP", an empty line and "Best regards, Ana Souza" is a STOP. The whole text comes back where the part before the
    closing is no keyword, so that nothing that was said is overlooked.
    """
    short = without_closing(text, name)
    return short if read_reply(short).intent is not Intent.TEXT else text


def without_closing(text: str, name: str) -> str:
    """Return ``text`` without the closing phrase and the sender's ``name`` below it; all of it where none closes it."""
    lines = [line for line in text.split("\n") if line.strip()]
    own = set(_words(name.casefold()))
    for end in range(1, len(lines)):
        closes = _CLOSING.match(lines[end]) or (set(_words(lines[end].casefold())) <= own)
        if closes and all(_is_signed(line, own) for line in lines[end + 1 :]):
            return "\n".join(lines[:end])
    return text


def _is_signed(line: str, own: set[str]) -> bool:
    """Whether a line below the closing phrase is a name: a few words, none of them in lower case."""
    words = _words(line)
    return len(words) <= 4 and all(not word[0].islower() or word.casefold() in own for word in words)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)
