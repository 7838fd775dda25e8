"""Whom and what the overrides of rules may name: what there is of it in the registry, or in a store that is not run."""

from collections.abc import Collection, Mapping
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from device_models.yaml_lines import FileError
from gateway.config import Config
from gateway.people.registry import Registry
from gateway.store import schema
from gateway.store.dialect import create_reader
from rules.authoring.overlap import overrides_for_nobody
from rules.schema import RuleSet

_TYPED = ("site", "model", "firmware")


def names_in(registry: Registry, ruleset: RuleSet) -> dict[str, Collection[str]]:
    """Return what there is, by the selectors that ``ruleset`` uses; nothing where no device is known."""
    if not registry.devices:
        return {}
    known: dict[str, Collection[str]] = {"device": registry.devices, "customer": registry.customers}
    used = [s for s in _TYPED if any(override.names(s) for rule in ruleset.rules for override in rule.overrides)]
    if used:
        devices = list(registry.devices.values())
        known |= {selector: {v for d in devices if (v := getattr(d, selector)) is not None} for selector in used}
    return known


def warnings_for(registry: Registry, ruleset: RuleSet, about: Collection[str] | None = None) -> list[FileError]:
    """Return the overrides that name nobody the registry knows."""
    return overrides_for_nobody(ruleset, names_in(registry, ruleset), about)


def names_in_store(config: Config) -> Mapping[str, Collection[str]] | None:
    """Return the same from the configured store as it is, migrated or not; None where it cannot be read."""
    url = sa.make_url(config.store_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
        return {}
    d, c = schema.devices.c, schema.customers.c
    engine = create_reader(config.store_url)
    try:
        with engine.connect() as connection:
            devices = connection.execute(sa.select(d.id, d.site, d.model, d.firmware)).all()
            customers = connection.execute(sa.select(c.id)).scalars().all()
    except SQLAlchemyError:
        return None
    finally:
        engine.dispose()
    if not devices:
        return {}
    columns = zip(*devices, strict=True)
    names = ("device", *_TYPED)
    return {"customer": set(customers)} | {
        name: {value for value in column if value is not None} for name, column in zip(names, columns, strict=True)
    }
