from notifiers.holdout import in_holdout


def test_the_share_is_kept_and_experiments_are_independent() -> None:
    people = [f"c{number}" for number in range(20_000)]
    channels = {person for person in people if in_holdout(person, 0.1, "channels")}
    offers = {person for person in people if in_holdout(person, 0.1, "offers")}

    assert abs(len(channels) / len(people) - 0.1) < 0.01
    assert abs(len(channels & offers) / len(people) - 0.01) < 0.004


def test_who_is_left_out_stays_so_when_the_share_grows() -> None:
    people = [f"c{number}" for number in range(2_000)]
    small = {person for person in people if in_holdout(person, 0.05, "channels")}

    assert small <= {person for person in people if in_holdout(person, 0.2, "channels")}
    assert not any(in_holdout(person, 0.0, "channels") for person in people)
