"""Nothing is sent twice, whatever ends the process when, and nothing to whom has said STOP before it was handed over.

The real sender over a real store; the provider keeps what it took. A crash comes before or after any commit, and before
or after the provider has a message; then everything begins again on the same store, as after a power cut.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from device_models.purpose import Purpose
from gateway import commands as c
from gateway.store import schema
from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unknown
from notifiers.message import Outgoing
from tests.gateway.sending import Crash, Provider, Running
from tests.gateway.test_ladder import break_down, opened

ANSWERS = st.sampled_from(["accepts", "accepts", "busy", "lost", "lost before", "dead", "refuses"])
STEPS = st.sampled_from(["send", "send", "later", "stop", "receipt", "failed", "reply"])


class Clockwork:
    """Crashes at the chosen points, counted over all lives of the process."""

    def __init__(self, points: frozenset[int]) -> None:
        self.points, self.passed, self.armed = points, 0, False

    def __call__(self, _where: str) -> None:
        """Pass one point."""
        if not self.armed:
            return
        self.passed += 1
        if self.passed in self.points:
            raise Crash


def behaviour(answers: Iterator[str]) -> "Provider":
    """A provider that answers as told, taking a message or not."""

    def behaves(outgoing: Outgoing) -> NotifierError | None:
        match next(answers, "accepts"):
            case "busy":
                return TryLater("twilio", "503", "busy")
            case "lost":
                return Unknown("twilio", "taken", "the answer was lost")
            case "lost before":
                return Unknown("twilio", "500", "nobody knows")
            case "dead":
                return Undeliverable("twilio", "21211", "no such number", Because.ADDRESS)
            case "refuses":
                return Undeliverable("twilio", "30007", "filtered")
            case _:
                return None

    return Provider("twilio", frozenset({"sms", "whatsapp", "email"}), behaves)


async def live(folder: Path, steps: list[str], answers: list[str], points: frozenset[int]) -> None:
    """Carry out the steps through every crash, and hold the outcome to its promises after each."""
    url, crash = f"sqlite:///{folder / 'gateway.sqlite'}", Clockwork(points)
    provider = behaviour(iter(answers))
    provider.crash = crash
    stopped = False
    taken_when_stopped = 0
    now, sequence, done, new = None, 0, 0, True
    while done < len(steps):
        with opened(url, folder, records=new) as made:
            if new:
                break_down(made)
                new = False
            made.now, made.sequence = now or made.now, max(sequence, made.sequence)
            running = Running(made, [provider], crash)
            crash.armed = True
            try:
                while done < len(steps):
                    step = steps[done]
                    if step == "stop":
                        await running.submit(c.SetConsent("ana", tuple(Purpose), False, "test"))
                        stopped, taken_when_stopped = True, len(provider.taken)
                    else:
                        await _do(running, step, done)
                    done += 1
            except Crash:
                # What was being done may be done or not: a step that asks again asks for the same.
                if steps[done] != "stop":
                    done += 1
            finally:
                crash.armed = False
                now, sequence = made.now + timedelta(seconds=1), made.sequence
    _assert_kept(provider)
    if stopped:
        assert len(provider.taken) == taken_when_stopped, "somebody who had said STOP was written to"


async def _do(running: Running, step: str, number: int) -> None:
    made = running.made
    match step:
        case "send":
            await running.until_idle()
        case "later":
            running.later(timedelta(minutes=20))
        case "reply" if made.rows(schema.cases):
            await running.submit(c.Reply(1, f"No. {number}", by="Mia"))
        case "receipt" | "failed":
            for out in running.providers[0].taken:
                state = "delivered" if step == "receipt" else "failed"
                await running.submit(c.ReceiptArrived("twilio", f"twilio:{out.key}", state))


def _assert_kept(provider: Provider) -> None:
    twice = [key for key, times in Counter(out.key for out in provider.taken).items() if times > 1]
    assert not twice, f"sent twice: {twice}"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(STEPS, min_size=1, max_size=7),
    st.lists(ANSWERS, max_size=8),
    st.frozensets(st.integers(1, 24), max_size=4),
)
@example(["send", "later", "send"], [], frozenset({4}))
@example(["send", "stop", "later", "send"], ["busy"], frozenset())
@example(["stop", "send"], [], frozenset({2}))
async def test_nothing_is_sent_twice_and_nothing_after_stop_at_any_crash_point(
    steps: list[str], answers: list[str], points: frozenset[int]
) -> None:
    with TemporaryDirectory() as folder:
        await live(Path(folder), ["send", *steps], answers, points)
