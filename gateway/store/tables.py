"""All tables of the store: importing this module makes ``metadata`` know every one of them."""

from gateway.store import rule_sets, schema

__all__ = ["metadata", "rule_sets", "schema"]

metadata = schema.metadata
