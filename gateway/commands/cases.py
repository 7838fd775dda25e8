"""What staff do with cases; see ``gateway.commands``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from device_models.purpose import Severity
from notifiers.attachment import Attachment
from notifiers.replies import Intent


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """An agent takes the case on; refused where somebody else has it."""

    case_id: int
    by: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Hand the case to ``assignee``, None to nobody: it is new again. To oneself it is claimed."""

    case_id: int
    assignee: str | None
    by: str


@dataclass(frozen=True, slots=True)
class RouteCase:
    """Hand the case to a team; whoever has it lets go of it."""

    case_id: int
    team: str
    by: str


@dataclass(frozen=True, slots=True)
class AddNote:
    """An internal note, never shown to the customer."""

    case_id: int
    text: str
    by: str
    files: tuple[Attachment, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Resolve:
    """Close the case; ``tell_customer`` sends the closing notice if they had been told of the fault."""

    case_id: int
    by: str
    resolution: str = ""
    tell_customer: bool = True
    cause: str = ""
    """What it was: an id of the rule's list of causes, or words."""
    fix: str = ""
    """What mended it, likewise."""
    tell_from: datetime | None = None
    """Until then the closing notice waits, so that it can be taken back; None: it goes out at once."""


@dataclass(frozen=True, slots=True)
class Unresolve:
    """Take back that somebody resolved a case: it is again as it was before, in all that resolving changed."""

    case_id: int
    by: str


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open a resolved case again."""

    case_id: int
    by: str


@dataclass(frozen=True, slots=True)
class GiveVerdict:
    """Say whether a case was real. ``by`` is ``customer`` for "this was wrong" on their page; staff overrule it.

    Its result is the verdict that stood before, for undo.
    """

    case_id: int
    verdict: Literal["real", "false_alarm", "duplicate"] | None
    """None takes the verdict back."""
    by: str
    duplicate_of: int | None = None
    name: str | None = field(default=None, repr=False)
    """Of the customer who says so."""


@dataclass(frozen=True, slots=True)
class Snooze:
    """Take a case off the queue until ``until``; None wakes it. An answer of the customer's wakes it as well."""

    case_id: int
    until: datetime | None
    by: str


@dataclass(frozen=True, slots=True)
class WaitForCustomer:
    """Say that it is the customer's turn, or (``waiting`` false) ours: service levels stand meanwhile."""

    case_id: int
    by: str
    waiting: bool = True


@dataclass(frozen=True, slots=True)
class WakeCases:
    """Bring back the cases whose time to rest is over. Its result is how many."""


@dataclass(frozen=True, slots=True)
class MergeCase:
    """Work on a case within another: it is closed as its duplicate, its thread is read there, answers go there."""

    case_id: int
    into: int
    by: str


@dataclass(frozen=True, slots=True)
class UnmergeCase:
    """Take a merge back: the case is open again, with the verdict and the state it had."""

    case_id: int
    by: str


@dataclass(frozen=True, slots=True)
class SplitCase:
    """Make a case of its own of what a customer wrote within another. Its result is the new case's number."""

    case_id: int
    entry_id: int
    """The message or note in the timeline; it and what follows it on the same matter is moved by hand, one by one."""
    by: str


@dataclass(frozen=True, slots=True)
class LinkCases:
    """Say that two cases belong together, or (``linked`` false) no longer."""

    case_id: int
    other_id: int
    by: str
    linked: bool = True


@dataclass(frozen=True, slots=True)
class Escalate:
    """Call for somebody who can do more; ``reason`` None takes it back."""

    case_id: int
    reason: str | None
    by: str
    to: str | None = None
    """Who takes it over; None: whoever has it keeps it."""
    undo: bool = False
    """Taken back as if it had not been: its owner and its rest come back."""


@dataclass(frozen=True, slots=True)
class HandToField:
    """Ask for somebody to go there; ``task`` None takes it back. Subscribed systems are told."""

    case_id: int
    task: str | None
    by: str


@dataclass(frozen=True, slots=True)
class TickStep:
    """A step of the runbook was run, or (``done`` false) was not."""

    case_id: int
    step: str
    by: str
    done: bool = True


@dataclass(frozen=True, slots=True)
class OpenCase:
    """Open a case by hand for what a person reported. Its result is the case's number."""

    title: str
    by: str
    device_id: str | None = None
    customer_id: str | None = None
    """None: the device's owner."""
    severity: Severity = Severity.MAJOR
    text: str = ""
    """What they said, as the first note."""
    missed: bool = False
    """A fault that no rule saw: it counts against the rules."""


@dataclass(frozen=True, slots=True)
class SendDeviceCommand:
    """Send a command that the device's profile allows. Its result is the command's number."""

    device_id: str
    name: str
    by: str
    case_id: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceCommandSent:
    """The broker has taken a command, or it could not be handed over."""

    command_id: int
    outcome: Literal["published", "failed"]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class GiveUpCommands:
    """Say of commands whose device has not spoken in its time that they went unanswered. Its result is how many."""


@dataclass(frozen=True, slots=True)
class SaveMacro:
    """Keep an answer under a name; ``text`` None deletes it."""

    name: str
    text: str | None
    by: str
    sends: bool = False


@dataclass(frozen=True, slots=True)
class TeachPhrase:
    """Give customers' words a meaning, from now on and in the message they were met in. Its result is a number."""

    text: str
    intent: Intent
    by: str
    language: str | None = None
    inbound_id: int | None = None
    """The message that was misread."""


@dataclass(frozen=True, slots=True)
class DropPhrase:
    """Take a phrase's meaning back; what followed from it stays."""

    phrase_id: int
    by: str


@dataclass(frozen=True, slots=True)
class SaveView:
    """Keep the queue's filters under a name. Its result is the view's number."""

    name: str
    query: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class DropView:
    """Forget a saved view."""

    view_id: int
    by: str
    lead: bool = False
    """Whether they may drop one that is everybody's."""


AgentCommand = Acknowledge | Assign | AddNote | Resolve | Unresolve | Reopen | GiveVerdict
CaseCommand = (
    RouteCase
    | Snooze
    | WaitForCustomer
    | WakeCases
    | MergeCase
    | UnmergeCase
    | SplitCase
    | LinkCases
    | Escalate
    | HandToField
    | TickStep
    | OpenCase
    | SendDeviceCommand
    | DeviceCommandSent
    | GiveUpCommands
    | SaveMacro
    | TeachPhrase
    | DropPhrase
    | SaveView
    | DropView
)
