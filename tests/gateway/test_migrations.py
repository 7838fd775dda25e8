"""What the migrations make is what the code expects, on both databases."""

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from gateway.store import schema, store
from gateway.store.tables import metadata


def own(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the full-text index, which the database keeps in tables of its own."""
    return kind != "table" or not (name or "").startswith("search_cases")


def test_the_migrations_make_the_very_tables_that_the_code_expects(store_url: str) -> None:
    engine = sa.create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        options = {"compare_type": False, "include_name": own}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


def test_every_index_has_the_condition_that_the_code_expects(store_url: str) -> None:
    engine = sa.create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    inspector = sa.inspect(engine)
    partial = {index.name for table in metadata.tables.values() for index in table.indexes if _has_condition(index)}
    condition = f"{engine.name}_where"
    found = {
        index["name"]
        for table in metadata.tables
        for index in inspector.get_indexes(table)
        if index.get("dialect_options", {}).get(condition) is not None
    }
    assert partial
    assert found == partial
    engine.dispose()


def test_a_statement_that_fails_shows_nothing_of_what_was_put_into_it(store_url: str) -> None:
    opened = store.Store(store_url)
    row = {"id": "ana", "name": "Ana Souza", "email": object()}
    for open_one in (opened.write, opened.read):
        with pytest.raises(sa.exc.SQLAlchemyError) as failed, open_one() as connection:
            connection.execute(sa.insert(schema.customers), [row])
        assert "INSERT INTO customers" in str(failed.value)
        assert "Ana Souza" not in str(failed.value)
    opened.close()


def test_tables_of_an_unreleased_build_are_refused_by_what_they_lack(store_url: str) -> None:
    engine = sa.create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE customers DROP COLUMN left_at"))
    engine.dispose()
    with pytest.raises(store.StoreError, match=r"lack customers\.left_at; no migration"):
        store.Store(store_url)


def test_going_back_leaves_nothing(store_url: str) -> None:
    engine = sa.create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", str(store._MIGRATIONS))
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()


def _has_condition(index: sa.Index) -> bool:
    return index.dialect_options["sqlite"]["where"] is not None
