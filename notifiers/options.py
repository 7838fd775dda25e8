"""What the numbers of a message stand for; buttons carry the same answers.

Templates write them out (block ``answer``), so what stands here and what a customer reads must agree: a test reads
each catalogue for it.
"""

from collections.abc import Mapping, Sequence

from notifiers.replies import Intent

OPTIONS: Mapping[str, Sequence[Intent]] = {
    "fault_opened": (Intent.FIXED, Intent.CALL_ME, Intent.BOOK),
    "fault_update": (Intent.FIXED, Intent.CALL_ME, Intent.BOOK),
    "maintenance_due": (Intent.DONE, Intent.LATER),
}
"""By template, in order: 1 is the first."""
