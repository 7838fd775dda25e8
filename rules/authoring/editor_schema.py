"""The JSON Schema of rule files, for editors: completion, hints and red lines while a rule is being written."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, BeforeValidator, TypeAdapter
from pydantic.fields import FieldInfo

from device_models.duration import format_duration
from rules.authoring.rule_tests import Case
from rules.base import Override
from rules.schema import KINDS, AnyRule

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = r"^\s*(\d+(\.\d+)?(ms|[smhdw])\s*)+$"
_ADAPTER = TypeAdapter[Any](AnyRule)


def editor_schema() -> dict[str, Any]:
    """Return the schema of a rule file. It is no stricter than reading it, and leaves CEL to ``rules check``."""
    rules = _ADAPTER.json_schema(by_alias=True, ref_template="#/$defs/{model}")
    cases = Case.model_json_schema(by_alias=True, ref_template="#/$defs/{model}")
    definitions = rules.pop("$defs") | cases.pop("$defs", {}) | {"Case": cases}
    models: tuple[type[BaseModel], ...] = (*KINDS.values(), Case, Override)
    for model in models:
        _loosen(definitions[model.__name__], model)
    for definition in definitions.values():
        _as_files_write(definition)
    return {
        "$schema": DIALECT,
        "title": "Rules of the proactive support gateway",
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {
            "rules": {"type": "array", "items": rules},
            "tests": {"type": ["array", "null"], "items": {"$ref": "#/$defs/Case"}},
            "rule_files": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        },
        "$defs": definitions,
    }


def _loosen(definition: dict[str, Any], model: type[BaseModel]) -> None:
    """Let through what a setting's reading understands beyond its type: one name for a list, a text for a language."""
    validators = model.__pydantic_decorators__.field_validators.values()
    before = {name for validator in validators if validator.info.mode == "before" for name in validator.info.fields}
    for name, info in model.model_fields.items():
        key = info.alias or name
        schema = definition["properties"].get(key)
        if schema is None:
            continue
        if name in before or _is_read_first(info):
            definition["properties"][key] = _with_single(schema)
    # The discriminator needs it in every rule, whatever its default is.
    if "kind" in definition["properties"]:
        definition["required"] = sorted({*definition.get("required", []), "kind"})


def _is_read_first(info: FieldInfo) -> bool:
    return any(isinstance(part, BeforeValidator) for part in info.metadata)


def _with_single(schema: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: schema[key] for key in ("default", "description") if key in schema}
    if schema.get("type") == "array":
        item = {"type": ["string", "number"]}
        return {"anyOf": [item, {"type": "array", "items": item}], **kept}
    if schema.get("type") == "object":
        return {"anyOf": [{"type": "string"}, schema], **kept}
    return schema


def _as_files_write(schema: Any) -> None:
    """Rewrite durations from ISO 8601, which pydantic assumes, to ``10m``."""
    for part in _parts(schema):
        if part.get("format") == "duration":
            del part["format"]
            part["anyOf"] = [{"type": "string", "pattern": _DURATION}, {"enum": [0, "0"]}]
            part.pop("type", None)
            if isinstance(part.get("default"), str):
                part["default"] = format_duration(TypeAdapter(timedelta).validate_python(part["default"]))


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in list(schema.values()):
            yield from _parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _parts(value)
