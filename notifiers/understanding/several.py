"""Answers to a message about several numbered things: "1 and 3 done", "1, 3", "all", "2 later, the rest is done".

Every word has to be understood, else a person reads it: what is left out here would have been done to the wrong thing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from notifiers import replies
from notifiers.replies import Intent, Phrase, phrases_of, read_reply, tokens_of, without
from notifiers.understanding.plain import UNSPACED

_AND = phrases_of(
    """
    and | & | + | und | sowie | et | y | e | i | и | да | و | と | や | および | dan | serta | 和 | 跟 | 与 | 及
    """
)
_ALL = phrases_of(
    """
    all | all of them | everything | every one | both | both of them | alle | alles | beide | beides | alle beide
    الكل | كل | كلها | جميعها | جميعا | كله | كلاهما | كلتاهما
    tout | tous | toutes | les deux | tous les deux | toutes les deux | todo | todos | todas | ambos | ambas | los dos
    las dos | tudo | os dois | as duas | все | всё | оба | обе | tutto | tutti | tutte | entrambi | entrambe
    semua | semuanya | keduanya | dua duanya | すべて | 全て | 全部 | ぜんぶ | みんな | 両方 | どちらも
    所有 | 都 | 全都 | 全部都 | 两个都 | 兩個都
    """
)
_BOTH = phrases_of(
    """
    both | both of them | beide | beides | alle beide | كلاهما | كلتاهما | les deux | tous les deux | toutes les deux
    ambos | ambas | los dos | las dos | os dois | as duas | оба | обе | entrambi | entrambe | keduanya | dua duanya
    両方 | どちらも | 两个都 | 兩個都
    """
)
"""Of those, what is said of two things only."""
_AROUND = phrases_of(
    """
    is | are | was | were | has been | have been | am | i have | i've | i | we | it | it's | they | now | already | just
    again | number | numbers | nr | item | items | point | points | of them | the
    ist | sind | wurde | wurden | war | waren | habe | hab | haben | ich | wir | es | sie | jetzt | schon | bereits
    nun | wieder | nummer | nummern | punkt | punkte
    est | sont | j'ai | nous avons | c'est | ça | déjà | maintenant | numéro | numéros | le | la | les | de nouveau
    está | están | es | son | he | hemos | ya | ahora | de nuevo | otra vez | número | números | el | los
    estão | já | agora | foi | foram | os | as | o | a | de novo
    уже | теперь | снова | опять | номер | номера | пункт | пункты | я | мы | это
    هو | هي | هما | قد | لقد | الآن | الان | مجددا | رقم | الرقم | البند
    nomor | sudah | telah | sekarang | lagi | yang | saya | kami
    は | が | も | を | の | 番 | 番目 | 番は | 番が | です | もう | で | に
    号 | 第 | 个 | 项 | 條 | 条 | 已 | 已经 | 現在 | 现在 | 是 | 了 | 都
    """
)
"""What may stand around an answer without changing it; never a no."""
_MORE = {
    Intent.FIXED: phrases_of(
        """
        work | working | work again | works fine | ok | okay | fine | all right | funktioniert | funktionieren | geht
        gehen | läuft | laufen | in ordnung | marche | marchent | fonctionne | fonctionnent | remarchent | funcionan
        funcionam | voltaram a funcionar | работают | تعمل | يعملان | berfungsi | normal
        動く | 動きます | 動いています | 直っています | 正常 | 正常です | 正常了 | 好了 | 修好
        """
    ),
    Intent.DONE: phrases_of(
        """
        gemacht | faits | faites | terminés | terminées | hechos | hechas | hecha | listos | listas | feitos | feitas
        feita | concluídos | сделаны | готовы | выполнены | منجز | منجزة | أنجز
        完了です | 完了しています | 完了した | 做完 | 做完了
        """
    ),
}
"""Said of several things where the words of one thing do not fit."""
_ANSWERS = frozenset({Intent.DONE, Intent.LATER, Intent.FIXED, Intent.CALL_ME, Intent.BOOK})
_NUMBER = re.compile(r"\d+|\D+")
_A_SPAN = re.compile(r"\d\s*[-–—~〜至]\s*\d|\d\s*[.,]\d+\s*[^\W\d]*[°%€$]")
"""Which of "1-3" are meant nobody can tell."""
_EDGES = re.compile("^[番目とはがもをのやで和跟与及号个個項项条都已]+|[番目とはがもをのやで和跟与及号个個項项条]+$")
_LONGEST = 160

Item = int | Intent


def read_several(text: str, count: int, bare: Intent) -> Mapping[int, Intent] | None:
    """Read which of a message's numbered things an answer means, and what it says of each.

    Args:
        text: as received.
        count: how many there were; the first is 1.
        bare: what a number alone says of its thing: ``DONE`` of a service, ``FIXED`` of a fault.
    Returns:
        What is said by number; None where it is not surely such an answer, and a person reads it.
    """
    if len(text) > _LONGEST or _A_SPAN.search(text) or any(mark in text for mark in "?？؟"):
        return None
    items = _items(text, count)
    if items is None or not any(isinstance(item, int) for item in items):
        return None
    said = [item for item in items if isinstance(item, Intent)]
    pairs = _paired(items) if said else [(item, bare) for item in items if isinstance(item, int)]
    if pairs is None:
        return None
    found: dict[int, Intent] = {}
    for number, intent in sorted(pairs):
        # What works again is all that can be done about a fault.
        meant = Intent.FIXED if intent is Intent.DONE and bare is Intent.FIXED else intent
        if found.setdefault(number, meant) is not meant:
            return None
    return found


def _items(text: str, count: int) -> Sequence[Item] | None:
    """The numbers and what is said, in order; None for anything that is neither."""
    items: list[Item] = []
    everything = False
    for run in _runs(tokens_of(text)):
        if run[0].isdecimal():
            number = int(run[0][:6])
            if not 1 <= number <= count or everything:
                return None
            items.append(number)
            continue
        left = without(run, _AND)
        if (of_all := without(left, _ALL)) != left:
            # "1 and all", "all but 2", "both" of three: nobody can tell.
            if any(isinstance(item, int) for item in items) or (without(left, _BOTH) != left and count != 2):
                return None
            items += range(1, count + 1)
            left, everything = of_all, True
        intent = _intent(left)
        if intent is None and _core(left):
            return None
        if intent is not None:
            items.append(intent)
    return items


def _runs(tokens: Phrase) -> Iterator[Phrase]:
    """Cut into numbers and the words between them: also "و2", "1和3"."""
    words: list[str] = []
    for token in (part for word in tokens for part in _NUMBER.findall(word)):
        if token.isdecimal():
            if words:
                yield tuple(words)
                words = []
            yield (token,)
        else:
            words += tokens_of(_bare(token))
    if words:
        yield tuple(words)


def _bare(token: str) -> str:
    """Take particles and counters off a run of kana and Han: 番と, は済みました, 都做好了."""
    if not UNSPACED.search(token) or (token,) in _ALL or len(tokens_of(token)) > 1:
        return token
    return _EDGES.sub("", token)


def _intent(words: Phrase) -> Intent | None:
    """What words say of a thing, with what stands around them or without."""
    for left in (words, _core(words)):
        if not left:
            return None
        for intent, phrases in _MORE.items():
            if left in phrases:
                return intent
        joined = "" if all(UNSPACED.search(word) for word in left) else " "
        reply = read_reply(joined.join(left))
        if reply.intent in _ANSWERS and reply.number is None:
            return reply.intent
    return None


def _core(words: Phrase) -> Phrase:
    return without(without(words, replies.POLITE), _AROUND)


def _paired(items: Sequence[Item]) -> list[tuple[int, Intent]] | None:
    """Give each number what is said of it: behind it where a number comes first, else before it."""
    ordered = items if isinstance(items[0], Intent) else list(reversed(items))
    pairs: list[tuple[int, Intent]] = []
    intent: Intent | None = None
    waits = False
    for item in ordered:
        if isinstance(item, Intent):
            if waits:
                return None
            intent, waits = item, True
        elif intent is None:
            return None
        else:
            pairs.append((item, intent))
            waits = False
    return None if waits else pairs
