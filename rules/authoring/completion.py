"""What may stand where in a rule: the words that an editor offers while one is written."""

from collections.abc import Iterable, Mapping
from typing import Any

from device_models.localized import in_language
from device_models.profile import DeviceProfile
from rules.authoring.editor_schema import editor_schema
from rules.conditions.functions import FUNCTIONS
from rules.schema import KINDS


def completions(profiles: Mapping[str, DeviceProfile], rules: Iterable[str]) -> dict[str, Any]:
    """Return it JSON-ready.

    ``settings``: by kind, each setting with the ``values`` it is one of (empty: any) and its ``default``; ``fields``:
    by profile, each with its ``unit`` and ``title``; ``functions`` with an ``example`` and what each ``says``;
    ``profiles``, ``kinds`` and ``rules`` by name.
    """
    schema = editor_schema()["$defs"]
    return {
        "kinds": list(KINDS),
        "profiles": sorted(profiles),
        "rules": sorted(rules),
        "settings": {
            kind: [
                {"name": name, "values": _values(said, schema), "default": said.get("default")}
                for name, said in schema[model.__name__]["properties"].items()
            ]
            for kind, model in KINDS.items()
        },
        "fields": {
            name: [
                {"name": field, "unit": spec.unit or "", "title": in_language(spec.title, "en") or ""}
                for field, spec in profile.fields.items()
                if field.isidentifier()
            ]
            for name, profile in sorted(profiles.items())
        },
        "functions": [
            {"name": name, "example": function.example, "says": function.says} for name, function in FUNCTIONS.items()
        ],
    }


def _values(said: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Any]:
    """The values a setting is one of; what may also be left out says so by ``null``, which nobody writes."""
    if "$ref" in said:
        return _values(schema[said["$ref"].rpartition("/")[2]], schema)
    if "enum" in said:
        return [value for value in said["enum"] if value is not None]
    if "const" in said:
        return [said["const"]]
    choices = [_values(each, schema) for each in said.get("anyOf", ()) if each.get("type") != "null"]
    return choices[0] if len(choices) == 1 else []
