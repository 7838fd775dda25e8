"""The arrows between the packages point one way, and the pure ones stay pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "device_models": set(),
    "rules": {"device_models"},
    "notifiers": {"device_models"},
    "simulator": {"device_models"},
    "gateway": {"device_models", "rules", "notifiers", "simulator"},
}
IMPURE = {
    "asyncio",
    "threading",
    "socket",
    "subprocess",
    "time",
    "sqlite3",
    "sqlalchemy",
    "aiohttp",
    "paho",
    "nats",
    "structlog",
}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, top-level name) of what a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.lineno, node.module.split(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_its_arrows_allow(package: str) -> None:
    refused = set(MAY_IMPORT) - MAY_IMPORT[package] - {package} | {"tests"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for line, name in imports(path)
        if name in refused
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["device_models", "rules"])
def test_a_pure_package_imports_nothing_that_does_io(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in (ROOT / package).rglob("*.py")
        for line, name in imports(path)
        if name in IMPURE
    ]
    assert wrong == []


def test_every_package_has_modules_to_look_at() -> None:
    assert all(list((ROOT / package).rglob("*.py")) for package in MAY_IMPORT)
