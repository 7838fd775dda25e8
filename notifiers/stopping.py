"""A STOP that is no bare keyword: mistyped, drawn out, or said in a sentence of one's own.

Whoever does not want our messages may say so as they like (47 CFR 64.1200(a)(10): "any reasonable means"), so this
errs on the side of hearing one; but "stop the alarm" and "it does not stop beeping" are about the product.
"""

import re

from notifiers.lexicon import Found
from notifiers.plain import plain

_KEYWORDS = tuple(
    plain(
        """stop stopall unsubscribe optout stopp stoppen abmelden abbestellen austragen arrêtez stopper désabonner
        désinscrire désinscription descadastrar cancelar suscripción стоп отписаться отпишите отписка прекратите
        berhenti hentikan إيقاف أوقفوا ストップ"""
    ).split()
)
"""Keywords that a slip of the finger should not hide; short or everyday words (``baja``, ``alto``, ``fin``) are not
among them."""
_OTHER_WORDS = frozenset(
    plain(
        """top shop shops step steps slop slow stow atop spot stops stopped stoppt stomp strop stock store story stoff
        anmelden melden abmeldung abmelde angemeldet umbestellen bestellen vorbestellen стол сто столб стопа стоит
        стой подписаться отпишусь прекрати arrêt arrête cancelado descadastrado suscribir subscribe subscribed
        unsubscribed إيقاع"""
    ).split()
)
"""Words as close to a keyword as a slip, which mean something else."""
_SENTENCE = re.compile(r"[.!?;,…\n。！？、，；؟،؛]+")
_REPEATED = re.compile(r"(.)\1{2,}")
_DRAWN_OUT = re.compile(r"(?<!\w)(?:\w[ .\-_*]+){3,}\w(?!\w)")
_DOTTED = re.compile(r"(?<=\w)[.\-_*·](?=\w)")
"""What stands within a word: "st.op", "opt-out"."""
_LOOKALIKE = str.maketrans("aceopxytkmhb", "асеорхуткмнв")


def tidy(text: str) -> str:
    """Return ``text`` with what is drawn out drawn together: "S T O P", "st-o-p", "STOOOOP", "STOP STOP STOP"."""
    joined = _DRAWN_OUT.sub(lambda match: re.sub(r"\W|_", "", match.group()), _DOTTED.sub("", text))
    words = [_one_script(word) for word in _REPEATED.sub(r"\1", joined).split()]
    kept = [word for i, word in enumerate(words) if i == 0 or plain(word) != plain(words[i - 1])]
    return " ".join(kept)


def _one_script(word: str) -> str:
    """Undo a keyboard's slip between scripts: "cтоп" with a Latin c looks like стоп."""
    cyrillic = sum("а" <= c <= "я" for c in word.casefold())
    return word.casefold().translate(_LOOKALIKE) if 0 < cyrillic < len(word) else word


def mistyped(word: str) -> bool:
    """Tell whether one plain word is a keyword with a slip in it: a letter more, less, other, or two exchanged.

    From nine letters on two slips are allowed.
    """
    if len(word) < 4 or word in _OTHER_WORDS or word in _KEYWORDS:
        return False
    return any(_close(word, keyword) for keyword in _KEYWORDS)


def sentences(text: str) -> list[str]:
    """Cut a text where people pause."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def asks_to_stop(cues: list[Found]) -> bool:
    """Tell whether the cues of a text say that messages are to end, and none that something else is meant."""
    return any(cue.section == "stop" for cue in cues) and not is_about_something_else(cues)


def is_about_something_else(cues: list[Found]) -> bool:
    """Tell whether a text says that messages are to go on, or that a machine is to stop."""
    return any(cue.section in ("keep", "machine") for cue in cues)


def _close(word: str, keyword: str) -> bool:
    if abs(len(word) - len(keyword)) > 2 or not (word[0] == keyword[0] or word[:2] == keyword[1::-1]):
        return False
    return distance(word, keyword) <= (2 if len(keyword) >= 9 else 1)


def distance(one: str, other: str) -> int:
    """Count insertions, deletions, replacements and exchanges of neighbours that make one word the other.

    Source: optimal string alignment, the restricted form of Damerau's distance (Damerau 1964, CACM 7(3)).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, earlier[j - 2] + 1)
            row.append(best)
    return row[-1]
