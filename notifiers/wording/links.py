"""Links in messages lead to the company's own page and nowhere else."""

from urllib.parse import urlsplit

from notifiers.message import Links

_NAMES = ("page_url", "stop_url", "unsubscribe_post_url")


def only_ours(links: Links, public_url: str) -> tuple[Links, list[str]]:
    """Drop links that leave ``public_url``; return the rest and the names of those dropped.

    Whatever went wrong before, in settings or in code, no customer is led elsewhere.
    """
    kept: dict[str, str | None] = {name: getattr(links, name) for name in _NAMES}
    foreign = [name for name, url in kept.items() if url is not None and not is_ours(url, public_url)]
    return Links(**{name: None if name in foreign else url for name, url in kept.items()}), foreign


def is_ours(url: str, public_url: str) -> bool:
    """Tell whether a link leads to ``public_url`` or below it."""
    try:
        link, home = urlsplit(url), urlsplit(public_url)
    except ValueError:
        return False
    clean = url.isascii() and url.isprintable() and " " not in url
    same = clean and (link.scheme, link.netloc) == (home.scheme, home.netloc) and link.scheme in ("http", "https")
    folder = home.path.rstrip("/")
    return same and (link.path == folder or link.path.startswith(f"{folder}/"))
