"""What a rule knows of its fault beyond detecting it: what usually causes it, and the standard procedure."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from device_models.sentences import sentence


class Cause(BaseModel):
    """One thing the fault may turn out to be. Staff choose it with one key as they resolve."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    title: str = Field(min_length=1, max_length=120)
    fixes: tuple[str, ...] = ()
    """What usually mends it, in a few words each."""


class Step(BaseModel):
    """One step of the procedure."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=60, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    do: str = Field(min_length=1, max_length=300)
    """What the agent does."""
    cause: str | None = None
    """The cause that it looks for: the oftener it was that, the earlier the step."""
    command: str | None = None
    """A command of the profile's that the step sends to the device."""


def wrong_in(causes: Sequence[Cause], steps: Sequence[Step]) -> str | None:
    """Say what does not fit together: an id twice, a step for a cause that is not listed; None: nothing."""
    ids = [cause.id for cause in causes]
    if twice := next((name for name in ids if ids.count(name) > 1), None):
        return sentence("names the cause '{1}' twice", twice)
    named = [step.id for step in steps]
    if twice := next((name for name in named if named.count(name) > 1), None):
        return sentence("names the step '{1}' twice", twice)
    unknown = next((step.cause for step in steps if step.cause is not None and step.cause not in ids), None)
    return sentence("there is no cause '{1}' in the rule's list", unknown) if unknown is not None else None


def by_share(causes: Sequence[Cause], found: Mapping[str, int]) -> list[Cause]:
    """Order causes by how often they were found, the oftenest first; of equals as written."""
    return sorted(causes, key=lambda cause: -found.get(cause.id, 0))


def in_order(steps: Sequence[Step], found: Mapping[str, int]) -> list[Step]:
    """Order steps: those that look for a cause by how often it was that, among themselves; others keep their places."""
    looking = iter(sorted((s for s in steps if s.cause), key=lambda step: -found.get(step.cause or "", 0)))
    return [next(looking) if step.cause else step for step in steps]
