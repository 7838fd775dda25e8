"""Answers to numbered things, in ten languages: which are meant, what is said of each, and what a person reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.replies import Intent
from notifiers.understanding.several import read_several

ONE_AND_THREE = (
    *("1 and 3 done", "1, 3", "Done: 1 and 3", "1 & 3 are done, thanks", "1 3", "3 and 1 done"),
    *("1 und 3 erledigt", "Erledigt: 1, 3", "1 und 3 sind schon fertig, danke"),
    *("1 et 3 faits", "1 et 3 sont terminés"),
    *("1 y 3 hechos", "1 y 3 ya están listos"),
    *("1 e 3 feitos", "1 e 3 já estão feitos"),
    *("1 и 3 готовы", "Сделано 1 и 3"),
    *("1 و3 تم", "تم 1 و 3", "١ و٣ تم"),
    *("1と3は完了しました", "1番と3番は済みました"),
    *("1 dan 3 selesai", "1 dan 3 sudah selesai"),
    *("1和3完成了", "1、3已完成", "1和3都做好了"),
)
ALL = (
    *(
        "all",
        "all done",
        "Everything is done",
        "alle",
        "alles erledigt",
        "tout",
        "tout est fait",
        "todo listo",
        "tudo feito",
    ),
    *("все", "всё сделано", "الكل", "الكل تم", "全部", "全部完了しました", "semua sudah selesai", "全部完成了"),
)
FOR_A_PERSON = (
    *(
        "1 and 4 done",
        "done",
        "1 not done",
        "not 1",
        "all but 2",
        "1-3",
        "1 no",
        "1 done?",
        "2 still broken",
        "stop all",
    ),
    *(
        "the second one is done",
        "1 and the third",
        "both done",
        "1 erledigt, 3 nicht",
        "1 fait, 3 non",
        "1 done 1 later",
    ),
    *("1 3 since tuesday it leaks", "0", "", "…", "3.5 °C", "all 2", "1 完成, 3 还没修"),
)


@pytest.mark.parametrize("text", ONE_AND_THREE)
def test_the_numbers_named_are_meant_and_no_other(text: str) -> None:
    assert read_several(text, 3, Intent.DONE) == {1: Intent.DONE, 3: Intent.DONE}


@pytest.mark.parametrize("text", ALL)
def test_all_is_all(text: str) -> None:
    assert read_several(text, 3, Intent.DONE) == dict.fromkeys((1, 2, 3), Intent.DONE)


@pytest.mark.parametrize("text", FOR_A_PERSON)
def test_what_is_not_sure_is_for_a_person(text: str) -> None:
    assert read_several(text, 3, Intent.DONE) is None


@pytest.mark.parametrize(
    "text", ["1 done, 2 later", "1 fertig, 2 später", "1 fait, 2 plus tard", "1 готово, 2 позже", "1 完成, 2 稍后"]
)
def test_each_number_has_what_stands_with_it(text: str) -> None:
    assert read_several(text, 3, Intent.DONE) == {1: Intent.DONE, 2: Intent.LATER}


@pytest.mark.parametrize(
    "text",
    [
        *(
            "both work again",
            "1 and 2",
            "1 works, 2 works",
            "1 und 2 gehen wieder",
            "les deux remarchent",
            "оба работают",
        ),
        *(
            "1 y 2 funcionan",
            "1 e 2 voltaram a funcionar",
            "1 و2 يعملان الآن",
            "1と2は直りました",
            "keduanya normal lagi",
        ),
        *("1和2恢复正常", "1 and 2 done"),
    ],
)
def test_of_a_fault_a_number_says_that_it_works_again(text: str) -> None:
    assert read_several(text, 2, Intent.FIXED) == {1: Intent.FIXED, 2: Intent.FIXED}


@given(st.text(max_size=40), st.integers(2, 10))
def test_whatever_is_written_no_number_is_made_up(text: str, count: int) -> None:
    found = read_several(text, count, Intent.DONE)
    assert found is None or (found and set(found) <= set(range(1, count + 1)))
