"""A STOP that is no bare keyword: mistyped, drawn out, or said in a sentence of one's own.

Whoever does not want our messages may say so as they like (47 CFR 64.1200(a)(10): "any reasonable means"), so this
errs on the side of hearing one; but "stop the alarm" and "it does not stop beeping" are about the product.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from notifiers.replies import Intent, Reply, read_reply
from notifiers.understanding.lexicon import LONGEST_TEXT, Found, Lexicon
from notifiers.understanding.likeness import likeness
from notifiers.understanding.plain import plain, words_of

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
        unsubscribed إيقاع топ トップ"""
    ).split()
)
"""Words as close to a keyword as a slip, which mean something else."""
_UNMISTAKABLE = frozenset(
    plain(
        """stop stopall stopp unsubscribe optout abmelden abbestellen désabonner désinscription descadastrar
        стоп отписаться отпишите отписка berhenti 配信停止 退订 退訂 取消订阅 إيقاف أوقفوا"""
    ).split()
)
"""Keywords that mean our messages wherever they stand alone between full stops or commas."""
_CARRIERS = frozenset(plain("stop stopall stopp unsubscribe optout стоп отписка 退订 退訂 ستوب").split())
"""Keywords that are no word of a report ("berhenti": it stops), so that more may be said after or before them."""
DOUBTFUL = 0.7
"""How sure a stop is that ends the talk without naming our messages."""
ALIKE = 1.5
"""Likeness from which on a text that ends something, and says nothing else, is taken for a stop: of ordinary answers
it had not seen it took 7 % for one instead of 31 % for likeness above 0 alone (docs/replies.md)."""
CIVILLY_ALIKE = 2.0
"""Likewise where it thanks or is an "ok"."""
PLAINLY_ALIKE = 7.0
"""Likeness from which on a text that says nothing else is taken for a stop where it only may name an ending."""
PERHAPS_ALIKE = -12.0
"""Likeness from which on a text with a word that a stop could be made of may be one: a person reads it before anything
that can wait is sent. All thresholds were chosen on rounds 1 to 10; docs/replies.md has what they give on the next."""
_WITHOUT_SUCH = -2.0
"""Likewise without such a word."""
_NAMES_ANOTHER = 3.0
"""How much more alike it has to be where the product or a visit is named."""
_SAID_ELSE, _SAID_ELSE_WITHOUT = -1.0, 3.0
"""Likewise where it was understood as something else: with such a word and without."""
_FEW = 6
"""Words; in so few a keyword is what is meant."""
_LONGEST_LIKE = 14
"""Words; a longer text shares letters with everything."""
_STATES = frozenset({"fixed", "still_broken"})
_SAYS_MORE = _STATES | {"call_me", "book", "done", "later", "question"}
"""Who says such a thing talks with us: "Enough! It still does not cool" is a complaint."""
_SAYS_WHAT = (_SAYS_MORE - {"question"}) | {"machine", "thing", "product", "keep"}
_SHORTLY = 4
"""Words of a sentence that says no more than that something is to end."""
_CIVIL = frozenset({"thanks", "noise", "automatic", "happy"})
_SHORT = 8
"""Words; beyond it a single odd one is no mistyped keyword."""
_MOST_NAMED = 60
_SENTENCE = re.compile(r"[.!?;,…\n。！？、，；؟،؛]+")
_FULL_STOP = re.compile(r"[.!\n。！]+\s*(?=\S)")
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


@dataclass(frozen=True, slots=True)
class Stop:
    """A STOP that was heard: the purposes it names, and how sure that is."""

    reply: Reply
    confidence: float


def heard_stop(text: str, lexicons: Sequence[Lexicon]) -> Stop | None:
    """Hear the stop that a text holds, None where there is none.

    What it is about decides. Messages are to go on ("don't stop these"): never one. Something else is to stop or not
    to come (an alarm, a technician): only where our messages are named too. Else whatever ends a talk is one, also
    where that is a guess: it is answered with how to undo it and read by a person.

    Args:
        text: as received; no keyword alone, which ``read_reply`` has read.
        lexicons: of the languages it may be in.
    """
    # "No. Stop." is no "no stop": what stands on both sides of a full stop is not read together.
    cues = [cue for part in _FULL_STOP.split(text[:LONGEST_TEXT]) for one in lexicons for cue in one.find(part)]
    said = {cue.section for cue in cues}
    if "keep" in said:
        return None
    ours, others = "messages" in said, bool(said & {"machine", "thing"})
    if "machine" not in said:
        whole = read_reply(tidy(text))
        keyword = whole if whole.intent is Intent.STOP else _without_slip(tidy(text))
        if keyword is not None:
            return Stop(keyword, 0.9)
    if "stop" in said and (ours or not (others or "fixed" in said)):
        return Stop(_naming_purposes(text), 0.9)
    if "machine" in said:
        return None
    within = _in_a_sentence(text, lexicons, said)
    if within is not None:
        return within
    if others or said & _SAYS_MORE:
        return None
    if "product" in said and not ours:
        return None
    alike = _is_like_stops(text, lexicons, CIVILLY_ALIKE if said & _CIVIL else ALIKE)
    if alike or any(one.is_curt(text) for one in lexicons) or _says_one(text):
        return Stop(_naming_purposes(text), DOUBTFUL)
    return None


def may_be_stop(text: str, lexicons: Sequence[Lexicon], spoken: Sequence[str], said_else: bool) -> bool:
    """Tell whether a text in which no stop was heard may be one all the same.

    It names a stop's words, or our messages beside an ending, or shares its letters with the stops known so far.

    Args:
        text: as received.
        lexicons: as of ``heard_stop``.
        spoken: languages whose known stops it is compared with; English only where it may be English, since its
            letters stand in everything.
        said_else: whether it was understood as something else.
    """
    text = text[:LONGEST_TEXT]
    said = {cue.section for one in lexicons for cue in one.find(text)}
    ours, another = "messages" in said, bool(said & {"machine", "thing", "product"})
    ends = any(one.ends_something(text) for one in lexicons)
    if ("stop" in said and (ours or not another)) or mentions_stop(text) or (ours and (ends or said_else)):
        return True
    if any(_may_end(part, lexicons) for part in sentences(text)):
        return True
    perhaps = any(one.perhaps_ends(text) for one in lexicons if one.language in spoken)
    if said_else:
        least = _SAID_ELSE if perhaps else _SAID_ELSE_WITHOUT
    else:
        least = PERHAPS_ALIKE + (_NAMES_ANOTHER if another and not ours else 0) if perhaps else _WITHOUT_SUCH
    known = [likeness(language) for language in spoken]
    return max((one.to_stops(tidy(text)) for one in known if one is not None), default=-math.inf) > least


def _may_end(sentence: str, lexicons: Sequence[Lexicon]) -> bool:
    """Tell whether a short sentence says that something is to end and not what: "why do you keep writing, stop it"."""
    if len(words_of(sentence)) > _SHORTLY or not any(one.ends_something(sentence) for one in lexicons):
        return False
    return not {cue.section for one in lexicons for cue in one.find(sentence)} & _SAYS_WHAT


def mentions_stop(text: str) -> bool:
    """Tell whether one of the sentences of a text is a bare keyword: "stop, it works again"."""
    return any(read_reply(tidy(sentence)).intent is Intent.STOP for sentence in sentences(text[:LONGEST_TEXT]))


def calls_off(cues: Sequence[Found]) -> bool:
    """Tell whether something else than messages is called off: "cancel the visit", "don't send the technician"."""
    said = {cue.section for cue in cues}
    return "thing" in said and bool(said & {"stop", "keep", "machine", "off"})


def sentences(text: str) -> list[str]:
    """Cut a text where people pause."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def _in_a_sentence(text: str, lexicons: Sequence[Lexicon], said: set[str]) -> Stop | None:
    """The stop that is a sentence of its own beside others."""
    parts = sentences(text[:LONGEST_TEXT])
    replies = [read_reply(tidy(part)) for part in parts]
    stops = [reply for reply in replies if reply.intent is Intent.STOP]
    if stops and all(reply.intent in (Intent.STOP, Intent.NO, Intent.YES) for reply in replies):
        return Stop(stops[0], 0.9)
    for part, reply in zip(parts, replies, strict=True):
        # "Stop, it works again" sends nobody away; "it works again. STOP" does.
        if "fixed" in said and part is not parts[-1]:
            continue
        sure = _unmistakable(part)
        if reply.intent is Intent.STOP and sure:
            return Stop(reply, 0.9)
        more = said & (_STATES if sure else _SAYS_MORE | {"thing"})
        if not more and len(parts) > 1 and any(one.is_curt(part) for one in lexicons):
            return Stop(_naming_purposes(text), DOUBTFUL)
    return None


def _says_one(text: str) -> bool:
    """Tell whether a carrier's keyword begins or ends a text, or stands in a short one: "STOP I get ten of these"."""
    words = words_of(tidy(text))
    if not words or "?" in text:
        return False
    return bool(_CARRIERS.intersection(words if len(words) <= _FEW else (words[0], words[-1])))


def _is_like_stops(text: str, lexicons: Sequence[Lexicon], least: float) -> bool:
    """Tell whether a text resembles known stops, in the language it seems to be in."""
    words = words_of(text)
    if not lexicons or len(words) > _LONGEST_LIKE or _OTHER_WORDS.issuperset(words):
        return False
    known = likeness(lexicons[0].language)
    if not any(one.ends_something(text) for one in lexicons):
        if not lexicons[0].perhaps_ends(text):
            return False
        least = max(least, PLAINLY_ALIKE)
    return known is not None and known.to_stops(tidy(text)) > least


def _without_slip(text: str) -> Reply | None:
    """Read a text whose one word beside courtesies and purposes is a keyword with a slip in it."""
    words = words_of(text)
    if len(words) > _SHORT:
        return None
    if 1 < len(words) <= 3 and "".join(words) in _KEYWORDS:
        return read_reply("".join(words))
    odd = [word for word in words if read_reply(f"stop {word}").intent is Intent.TEXT]
    if len(odd) != 1 or not mistyped(odd[0]):
        return None
    said = read_reply(" ".join("stop" if word == odd[0] else word for word in words))
    return said if said.intent is Intent.STOP else None


def _naming_purposes(text: str) -> Reply:
    """A stop with the purposes that a text names."""
    named = []
    for word in words_of(text)[:_MOST_NAMED]:
        said = read_reply(f"stop {word}")
        if said.intent is Intent.STOP and (said.purposes or said.everything):
            named.append(word)
    reply = read_reply(" ".join(["stop", *list(dict.fromkeys(named))[:8]]))
    return reply if reply.intent is Intent.STOP else Reply(Intent.STOP, text)


def _unmistakable(sentence: str) -> bool:
    return any(word in _UNMISTAKABLE for word in words_of(tidy(sentence)))


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
