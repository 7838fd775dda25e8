import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from notifiers.choice import Choice, Taste, choose
from notifiers.learning.outcomes import STAGES, Outcome, Stage
from notifiers.learning.strength import foretold, strength_of
from notifiers.learning.tally import NOTHING, Tally
from notifiers.learning.thompson import Learner, Scope, learn, segment_of
from tests.notifiers.making import ANA, NOW

CHANNELS = ["email", "sms", "whatsapp"]
PERSON = ANA.model_copy(update={"addresses": {"whatsapp": "+447400123456"}, "country": None})
SEGMENT = segment_of("freezer", PERSON)
DAY = timedelta(days=1)


class Book:
    """Tallies in memory."""

    def __init__(self) -> None:
        self.tallies: dict[tuple[Scope, str], Tally] = {}

    def tally(self, scope: Scope, channel: str) -> Tally:
        return self.tallies.get((scope, channel), NOTHING)

    def hear(
        self,
        channel: str,
        answered: bool,
        times: int = 1,
        customer_id: str = "ana",
        purpose: Purpose = Purpose.FAULT,
        days: float = 0,
        reported: bool | None = None,
        country: str | None = None,
        own_choice: bool = False,
    ) -> "Book":
        seen = {} if reported is None else {Stage.DELIVERED: reported, Stage.READ: reported}
        reached = {**seen, Stage.ANSWERED: answered}
        for _ in range(times):
            at = NOW + days * DAY
            outcome = Outcome(customer_id, purpose, channel, country, SEGMENT, reached, at, own_choice)
            for scope, name, tally in list(learn(self, outcome)):
                self.tallies[scope, name] = tally
        return self

    def taste(
        self, seed: str = "m1", explore: bool = False, purpose: Purpose = Purpose.FAULT, days: float = 0
    ) -> Taste | None:
        learner = Learner(self, SEGMENT, seed, explore)
        return learner.taste(PERSON, purpose, CHANNELS, NOW + days * DAY)


def first(taste: Taste | None) -> str:
    assert taste is not None
    return taste.order[0]


def test_before_anything_is_known_nothing_is_said() -> None:
    assert Book().taste() is None
    assert Book().hear("sms", True, times=2).taste() is None


def test_who_answers_on_one_channel_and_not_on_another_gets_the_first() -> None:
    taste = Book().hear("email", False, times=4).hear("whatsapp", True, times=4).taste()

    assert taste is not None
    assert (taste.order[0], taste.basis, taste.answered, taste.asked) == ("whatsapp", "own", 4, 4)
    assert taste.order[-1] == "email"


def test_choosing_again_for_the_same_message_chooses_the_same_and_messages_differ() -> None:
    book = Book().hear("email", True, times=3).hear("email", False, times=3).hear("sms", True).hear("sms", False)

    assert {first(book.taste("m1", explore=True)) for _ in range(20)} == {first(book.taste("m1", explore=True))}
    assert len({first(book.taste(f"m{n}", explore=True)) for n in range(300)}) > 1


def test_what_is_urgent_is_never_tried_out_on() -> None:
    book = Book().hear("email", True, times=3).hear("email", False, times=3)

    assert len({first(book.taste(f"m{n}")) for n in range(60)}) == 1


def test_a_try_is_called_a_try() -> None:
    book = Book().hear("email", True, times=3).hear("email", False, times=2)
    tried = [taste for n in range(300) if (taste := book.taste(f"m{n}", explore=True)) and taste.order[0] != "email"]

    assert tried
    assert {taste.basis for taste in tried} == {"trying"}


def test_those_alike_stand_in_for_who_is_new_and_it_is_said() -> None:
    book = Book()
    for number in range(40):
        book.hear("sms", True, customer_id=f"s{number}").hear("email", False, customer_id=f"e{number}")

    taste = book.taste()

    assert taste is not None
    assert (taste.order[0], taste.basis, taste.enough_of_their_own) == ("sms", "alike", False)
    assert (taste.answered, taste.asked) == (40, 40)


def test_their_own_answers_outweigh_those_alike() -> None:
    book = Book()
    for number in range(40):
        book.hear("sms", True, customer_id=f"s{number}").hear("email", number % 2 == 0, customer_id=f"e{number}")
        # People differ: some never answer by SMS, so that the strength of the prior is learned to be small.
        book.hear("sms", number % 3 > 0, times=4, customer_id=f"s{number}")
    book.hear("sms", False, times=6).hear("email", True, times=4)

    assert first(book.taste()) == "email"


def test_what_was_heard_long_ago_fades() -> None:
    book = Book().hear("email", True, times=6, days=-1500).hear("sms", True, times=3).hear("email", False, times=3)

    assert first(book.taste()) == "sms"


def test_another_purpose_counts_less_than_the_same() -> None:
    faults = Book().hear("email", False, times=4).hear("sms", True, times=4)
    mixed = (
        Book().hear("email", False, times=4, purpose=Purpose.OFFER).hear("sms", True, times=4, purpose=Purpose.OFFER)
    )
    mixed.hear("email", True, times=4).hear("sms", False, times=4)

    assert first(mixed.taste()) == "email"
    assert first(faults.hear("email", True, purpose=Purpose.MAINTENANCE).taste()) == "sms"


def test_a_channel_that_cannot_report_is_not_held_to_be_silent() -> None:
    """Mail never says that it arrived; SMS always does, and neither is ever answered more than the other."""
    book = Book()
    for number in range(60):
        answered = number % 3 == 0
        book.hear("email", answered, customer_id=f"e{number}")
        book.hear("sms", answered, customer_id=f"s{number}", reported=True)
    book.hear("email", True, times=4).hear("sms", True, times=3, reported=True).hear("sms", False, reported=True)

    assert first(book.taste()) == "email"


def test_a_survey_leans_the_choice_until_outcomes_say_otherwise() -> None:
    british = PERSON.model_copy(update={"country": "GB"})

    def best(book: Book) -> str:
        learner = Learner(book, segment_of("freezer", british), "m1", explore=False)
        return first(learner.taste(british, Purpose.FAULT, CHANNELS, NOW))

    book = Book()
    for number in range(20):
        book.hear("sms", number % 3 == 0, customer_id=f"s{number}", country="GB")
        book.hear("email", number % 3 == 0, customer_id=f"e{number}", country="GB")
    leaning = best(book)
    for number in range(60):
        book.hear("sms", number % 3 == 0, customer_id=f"t{number}", country="GB")
        book.hear("email", number % 2 == 0, customer_id=f"f{number}", country="GB")

    assert leaning == "sms"
    assert best(book) == "email"


def test_those_alike_learn_nothing_from_who_chose_for_themselves() -> None:
    book = Book()
    for number in range(40):
        book.hear("whatsapp", True, customer_id=f"w{number}", own_choice=True)

    assert book.taste() is None
    assert {scope.level for scope, _ in book.tallies} == {"customer", "strength"}


def test_who_likes_a_channel_does_not_praise_it_to_everybody() -> None:
    """A few who answer each of many messages weigh hardly more than the many who answered none."""
    book = Book()
    for number in range(5):
        book.hear("sms", True, times=40, customer_id=f"fan{number}")
    for number in range(30):
        book.hear("sms", False, customer_id=f"s{number}").hear("email", number % 2 == 0, customer_id=f"e{number}")

    assert first(book.taste()) == "email"


@settings(deadline=None, max_examples=60)
@given(
    heard=st.lists(
        st.tuples(
            st.sampled_from(CHANNELS),
            st.dictionaries(st.sampled_from(STAGES), st.booleans(), min_size=1),
            st.sampled_from(list(Purpose)),
            st.sampled_from(["ana", "bo", "cy"]),
            st.floats(-4000, 4000),
            st.booleans(),
        ),
        max_size=40,
    ),
    explore=st.booleans(),
)
def test_any_history_ranks_each_channel_once_and_counts_stay_counts(
    heard: Sequence[tuple[str, dict[Stage, bool], Purpose, str, float, bool]], explore: bool
) -> None:
    book = Book()
    for channel, reached, purpose, who, days, own in heard:
        outcome = Outcome(who, purpose, channel, "GB", SEGMENT, reached, NOW + days * DAY, own)
        for scope, name, tally in list(learn(book, outcome)):
            book.tallies[scope, name] = Tally.from_json(tally.to_json())
    for tally in book.tallies.values():
        for hits, tries in zip(tally.hits, tally.tries, strict=True):
            assert -1e-9 <= hits <= tries + 1e-9
    taste = Learner(book, SEGMENT, "m", explore).taste(PERSON, Purpose.FAULT, CHANNELS, NOW)
    assert taste is None or sorted(taste.order) == sorted(CHANNELS)


def test_the_order_of_channels_given_changes_nothing() -> None:
    book = Book().hear("email", True, times=3).hear("sms", False, times=3)
    learner = Learner(book, SEGMENT, "m1")

    one = learner.taste(PERSON, Purpose.FAULT, CHANNELS, NOW)
    other = learner.taste(PERSON, Purpose.FAULT, CHANNELS[::-1], NOW)

    assert one == other


@pytest.mark.parametrize(
    ("holdout", "code"), [(True, "channel.configured"), (False, "channel.learned")], ids=["left out", "learned"]
)
def test_who_is_left_out_gets_what_they_would_have_had(holdout: bool, code: str) -> None:
    book = Book().hear("email", False, times=5).hear("sms", True, times=5)

    def chosen(**wishes: object) -> Choice:
        person = PERSON.model_copy(update=wishes)
        learner = Learner(book, SEGMENT, "m1", explore=False)
        return choose(person, Purpose.FAULT, Severity.MAJOR, CHANNELS, NOW, learned=learner, holdout=holdout)

    choice = chosen()
    assert choice.why[-1].code == code
    assert choice.channel == ("email" if holdout else "sms")
    assert ("channel.holdout" in {reason.code for reason in choice.why}) is holdout
    assert chosen(channel_choices={Purpose.FAULT: "whatsapp"}).channel == "whatsapp"


def test_strength_is_small_where_people_differ_and_large_where_they_do_not() -> None:
    def learned(rates: Sequence[float]) -> float:
        chance = random.Random(1)
        scores: Sequence[float] = ()
        for person in range(300):
            rate, hits = rates[person % len(rates)], 0
            for tries in range(10):
                hit = chance.random() < rate
                scores = foretold(scores, 0.5, hits, tries, hit)
                hits += hit
        return strength_of(scores)

    assert learned([0.1, 0.9]) < 3
    assert learned([0.5]) > 50
