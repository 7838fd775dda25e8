"""Which language a short text is in: a guess, by its script and its small words.

Script decides where it can. Languages that share one are told apart by words that each of them uses all the time and
the others do not, and by letters of their own. Two or three words are often too few: then there is no guess.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from notifiers.understanding.plain import plain


@dataclass(frozen=True, slots=True)
class Guess:
    """A language and how sure we are."""

    language: str | None
    """BCP 47; None: too little to tell."""
    confidence: float
    """0 to 1."""


NO_GUESS = Guess(None, 0.0)

_SCRIPTS = {
    "HANGUL": "ko",
    "GREEK": "el",
    "HEBREW": "he",
    "THAI": "th",
    "DEVANAGARI": "hi",
    "BENGALI": "bn",
    "TAMIL": "ta",
    "GEORGIAN": "ka",
    "ARMENIAN": "hy",
}
"""Scripts that one language writes nearly alone."""
_MOST = 2000
"""Characters looked at."""

_SMALL_WORDS = {
    "en": "the is are was were and not it my your you we with for this that have has does do can will be to of but "
    "still again please what when how would could me i in on at they been there from no yes now",
    "de": "der die das ist und nicht ich sie es ein eine mit wir mein meine ihr ihre auf bei noch wieder bitte kann "
    "wird sind hat habe was wann wie aber auch den dem zu von im am mir mich kein keine immer schon jetzt seit",
    "fr": "le la les est et ne pas je vous il elle un une des du avec mon ma mes votre vos sur dans plus toujours "
    "encore que qui pour ce cette suis avez sont mais bonjour merci quand comment fait nous au aux ai",
    "es": "el la los las es y no yo usted un una unos con mi mis su sus en por para que se está están ya pero todavía "
    "sigue cuando como gracias hola muy del al lo le ha he tengo puede pueden más qué mañana",
    "pt": "o a os as é e não eu você um uma com meu minha seu sua em por para que está ainda já mas quando como "
    "obrigado obrigada do da dos das ao no na foi tem pode podem muito mais isso este esta me vocês tá",
    "id": "yang dan di ke dari ini itu tidak saya anda kami untuk dengan sudah belum masih lagi bisa ada tolong mohon "
    "akan apa kapan bagaimana jangan mau nya juga tapi sekarang kok gak nggak ga terima kasih pak bu lagi",
    "it": "il lo gli è e non io lei un una con mio mia che di del della sono ancora grazie per quando come ma più "
    "questo questa si ho ha anche adesso già perché vi ci nel alla buongiorno",
    "nl": "de het een is en niet ik u je wij mijn uw met op nog weer maar ook wanneer hoe kan wordt zijn heeft heb van "
    "naar bij geen deze dat dit al nu graag bedankt wel",
    "pl": "jest nie i w na z się że to jak czy ale już jeszcze mój moja proszę dziękuję do od po co kiedy dzień dobry "
    "mam ma są mi jestem znowu nadal",
    "tr": "bir ve bu da de için ne değil çok ama hala benim var yok lütfen teşekkürler nasıl zaman mı mi şu ile olarak "
    "artık tekrar daha",
    "sv": "och är inte det jag en ett som på med för min mitt har kan när hur men fortfarande igen tack inget vill ni "
    "den av till från",
}
_LETTERS = {
    "de": "äöüß",
    "fr": "èêëîïùûœç",
    "es": "ñ¿¡",
    "pt": "ãõ",
    "pl": "ąęłńśźż",
    "tr": "ğış",
    "sv": "åäö",
}
"""Letters that give a Latin text away."""
_WORDS = {language: frozenset(plain(words).split()) for language, words in _SMALL_WORDS.items()}


def guess_language(text: str) -> Guess:
    """Guess the language of what a person wrote; ``Guess.language`` is None where there is too little to go by."""
    text = text[:_MOST]
    scripts = _scripts(text)
    letters = sum(scripts.values())
    if not letters:
        return NO_GUESS
    script, count = scripts.most_common(1)[0]
    share = count / letters
    if scripts["KANA"]:
        # A name or two in katakana is in no Chinese text; Han beside kana is Japanese.
        return Guess("ja", 0.95 if letters > 2 else 0.8)
    if script == "CJK":
        return Guess("zh", round(0.9 * share, 2) if letters > 2 else 0.6)
    if script == "ARABIC":
        persian = any(c in "پچژگ" for c in text)
        return Guess("fa" if persian else "ar", round((0.7 if persian else 0.9) * share, 2))
    if script == "CYRILLIC":
        ukrainian = any(c in "іїєґ" for c in text.casefold())
        return Guess("uk" if ukrainian else "ru", round((0.8 if ukrainian else 0.9) * share, 2))
    if script == "LATIN":
        return _latin(text)
    return Guess(_SCRIPTS.get(script), round(0.95 * share, 2)) if script in _SCRIPTS else NO_GUESS


def _scripts(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for char in text:
        if not char.isalpha():
            continue
        first = unicodedata.name(char, "").split(" ")[0]
        found["KANA" if first in ("HIRAGANA", "KATAKANA") else first] += 1
    return found


def _latin(text: str) -> Guess:
    words = re.findall(r"[^\W\d_]+", plain(text))
    if not words:
        return NO_GUESS
    lowered = text.casefold()
    scores = {language: float(sum(word in small for word in words)) for language, small in _WORDS.items()}
    for language, letters in _LETTERS.items():
        scores[language] += 0.75 * min(2, sum(letter in lowered for letter in letters))
    (best, first), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    if first == 0 or first == second:
        return NO_GUESS
    margin = (first - second) / first
    evidence = min(1.0, first / 3)
    return Guess(best, round(0.4 + 0.3 * margin + 0.25 * evidence, 2))
