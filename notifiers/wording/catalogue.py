"""Translations, read from the ``.po`` files themselves so that a wheel needs no compiled ones to keep in step."""

import gettext
import io
from collections.abc import Mapping, Sequence
from copy import copy
from importlib.resources import files
from pathlib import Path

from babel import UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

SOURCE_LANGUAGE = "en"
"""The language of the msgids: it needs no file."""


class Catalogue:
    """The translations of one language; English gives each msgid back."""

    def __init__(self, language: str, catalogs: Sequence[Catalog] = ()) -> None:
        """``catalogs``: earlier ones win."""
        self.language = language
        self._own: Mapping[str, str] = {}
        self._translated: set[str] = set()
        self._translations = gettext.NullTranslations()
        for catalog in reversed(catalogs):
            mo = io.BytesIO()
            write_mo(mo, catalog)
            mo.seek(0)
            translations = gettext.GNUTranslations(mo)
            translations.add_fallback(self._translations)
            self._translations = translations
            self._translated.update(_ids(catalog))

    def with_words(self, words: Mapping[str, str]) -> "Catalogue":
        """Return one that says some msgids in other words."""
        made = copy(self)
        made._own = {**self._own, **words}
        return made

    def gettext(self, msgid: str) -> str:
        """Translate, or give the English back."""
        own = self._own.get(msgid)
        return own if own is not None else self._translations.gettext(msgid)

    def ngettext(self, singular: str, plural: str, count: int) -> str:
        """Translate in the form that ``count`` takes in this language."""
        return self._translations.ngettext(singular, plural, count)

    def has(self, msgid: str) -> bool:
        """Tell whether a translation is there."""
        return self.language == SOURCE_LANGUAGE or msgid in self._translated or msgid in self._own


def _ids(catalog: Catalog) -> set[str]:
    """The msgids with a whole translation that no one marked as doubtful (fuzzy)."""
    ids = set()
    for message in catalog:
        if not message.id or message.fuzzy:
            continue
        strings = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        if all(strings):
            ids.add(message.id if isinstance(message.id, str) else message.id[0])
    return ids


def load_catalogues(directories: Sequence[Path] = ()) -> dict[str, Catalogue]:
    """Read every language there is: ``<language>.po`` in ``directories``, then what ships here.

    Raises ValueError naming the file where one cannot be read.
    """
    read: dict[str, list[Catalog]] = {}
    own = [(path.name, path.read_bytes()) for path in files("notifiers").joinpath("locale").iterdir()]
    theirs = [(str(path), path.read_bytes()) for directory in directories for path in sorted(directory.glob("*.po"))]
    for name, content in [*theirs, *own]:
        if not name.endswith(".po"):
            continue
        language = Path(name).stem
        try:
            catalog = read_po(io.BytesIO(content), locale=language, abort_invalid=True)
        except (PoFileError, UnknownLocaleError, ValueError) as error:
            raise ValueError(f"{name}: {error}") from error
        read.setdefault(language, []).append(catalog)
    catalogues = {language: Catalogue(language, catalogs) for language, catalogs in read.items()}
    catalogues.setdefault(SOURCE_LANGUAGE, Catalogue(SOURCE_LANGUAGE))
    return catalogues
