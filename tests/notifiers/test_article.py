import re
from pathlib import Path

import pytest

from notifiers.wording.article import load_articles, read_article
from notifiers.wording.catalogue import load_catalogues
from rules.schema import parse_rules

ROOT = Path(__file__).parents[2]
RULES = [
    rule
    for path in sorted((ROOT / "rules" / "examples").glob("*.yaml"))
    for rule in parse_rules(path.read_text(encoding="utf-8"), path.name).rules
    if rule.kind != "proximity"
]
FRONT = "---\nrules: [r]\ntitle: T\n---\n"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("language", sorted(load_catalogues()))
def test_every_shipped_rule_has_an_article_in_every_language(rule: object, language: str) -> None:
    profiles = getattr(rule, "profile", ()) or ("generic",)
    for profile in profiles:
        article = load_articles().find(getattr(rule, "id", ""), "", profile, language, getattr(rule, "advice", None))
        assert article is not None
        assert article.language == language


def test_a_companys_article_replaces_ours_in_its_language_alone(tmp_path: Path) -> None:
    folder = tmp_path / "freezer-too-warm"
    folder.mkdir()
    text = "---\nrules: [freezer-too-warm]\ntitle: Zu warm\n---\n1. Rufen Sie uns an.\n"
    (folder / "de.md").write_text(text, encoding="utf-8")
    articles = load_articles([tmp_path])

    german = articles.find("freezer-too-warm", "", "freezer", "de-AT")
    french = articles.find("freezer-too-warm", "", "freezer", "fr")
    assert german is not None
    assert german.steps == ("Rufen Sie uns an.",)
    assert french is not None
    assert len(french.steps) == 3


def test_a_language_without_an_article_reads_it_in_english() -> None:
    article = load_articles().find("freezer-too-warm", "", "freezer", "sv-SE")
    assert article is not None
    assert article.language == "en"


def test_nothing_is_offered_for_a_fault_or_a_product_that_no_article_is_about() -> None:
    assert load_articles().find("no-such-rule", "", "freezer", "en") is None
    assert load_articles().find("freezer-too-warm", "", "heat-pump", "en") is None


def test_a_rule_authors_own_advice_goes_before_an_article_that_ships() -> None:
    find = load_articles().find
    shipped = next(rule for rule in RULES if rule.id == "freezer-too-warm").advice

    assert find("freezer-too-warm", "", "freezer", "en", {"en": "Please close the lid."}) is None
    assert find("freezer-too-warm", "", "freezer", "en", shipped) is not None
    assert find("freezer-too-warm", "", "freezer", "en", {}) is not None


def test_an_error_codes_own_article_goes_before_the_rules() -> None:
    from notifiers.wording.article import Articles

    general = read_article(FRONT.replace("[r]", "[error-code]") + "1. Restart it.", "a", "en", "a")
    own = read_article(FRONT.replace("[r]", "[E11]") + "1. Bleed it.", "b", "en", "b")
    found = Articles([general, own]).find("error-code", "E11", "heat-pump", "en")
    assert found == own


def test_markup_of_an_article_is_shown_and_never_run() -> None:
    text = (
        FRONT
        + "1. <img src=x onerror=alert(1)> [x](javascript:alert(1)) ![i](https://x.example/i.png)\n\n<script>1</script>"
    )
    html = read_article(text, "a", "en", "a").html

    assert "<script" not in html
    assert "<img" not in html
    assert "href" not in html.replace('href="https://x.example/i.png"', "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1. Step", "x/en.md:1: does not begin with front matter"),
        (FRONT + "No list", "x/en.md: has no steps"),
        ("---\nrules: []\ntitle: T\n---\n1. a", "x/en.md:1: rules"),
        ("---\nrules: [r\ntitle: T\n---\n1. a", "the front matter is no YAML"),
        ("---\nrules: [r]\ntitel: T\n---\n1. a", "title"),
    ],
)
def test_a_wrong_article_says_what_to_mend(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        read_article(text, "x", "en", "x/en.md")


def test_steps_that_look_for_a_cause_stand_by_how_often_it_was_that_and_others_stay() -> None:
    causes = "causes: {2: seal, 4: relay}\n"
    text = f"---\nrules: [r]\ntitle: T\n{causes}---\n\n1. Shut it.\n2. Wipe the seal.\n3. Wait.\n4. Unplug it.\n"
    article = read_article(text, "a", "en", "a.md")
    assert article.in_order({}) == [0, 1, 2, 3]
    assert article.in_order({"relay": 3, "seal": 1}) == [0, 3, 2, 1]
    with pytest.raises(ValueError, match="there is no step 5; it has 4"):
        read_article(text.replace("4: relay", "5: relay"), "a", "en", "a.md")
