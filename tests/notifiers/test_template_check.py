from pathlib import Path

import pytest

from notifiers.message import Brand
from notifiers.wording.render import TEMPLATES, Renderer
from notifiers.wording.samples import SAMPLES
from notifiers.wording.template_check import Finding, check, preview

BRAND = Brand("Acme", "Acme Service", "https://help.acme.example")


def found(tmp_path: Path, name: str, source: str) -> list[Finding]:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(source, encoding="utf-8")
    return [one for one in check(Renderer([tmp_path]), BRAND, ["en", "de"]) if one.level == "error"]


def test_what_ships_has_no_error_and_nothing_untranslated() -> None:
    findings = check(Renderer(), BRAND)

    assert [one for one in findings if one.level == "error" or "falls back" in one.what] == []


def test_every_template_has_a_sample() -> None:
    assert set(SAMPLES) == set(TEMPLATES)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{% block sentence %}{{ nobody }}{% endblock %}", "there is no 'nobody'"),
        ("{% block sentence %}{{ view.colour }}{% endblock %}", "there is no view.colour"),
        ("{% block sentence %}x{% if view.kind == 'no' %}{{ view.shade }}{% endif %}{% endblock %}", "view.shade"),
        ("{% block sentence %}See https://evil.example/x{% endblock %}", "links to https://evil.example/x"),
        ("{% block sentence %}Bitte Ihr Passwort{% endblock %}", "never ask for a password"),
        ("{% block sentence %}{{ view.name }", "is no template"),
        ("{% block sentence %}{{ view.product + 1 }}{% endblock %}", "cannot be rendered"),
        ("{% block sentence %}{{ ''.__class__.__mro__ }}{% endblock %}", "cannot be rendered"),
    ],
)
def test_a_companys_mistake_is_found_before_a_customer_finds_it(tmp_path: Path, body: str, says: str) -> None:
    errors = found(tmp_path, "test.j2", "{% block subject %}S{% endblock %}" + body)

    assert any(says in one.what for one in errors), errors
    assert all(one.where.startswith("test") for one in errors)


def test_a_partial_of_the_company_speaks_in_every_message(tmp_path: Path) -> None:
    footer = Renderer().sources()
    source = dict(footer)["partials/footer.j2"].replace('_("You get this because you wrote to us.")', '"x"')
    own = source.replace("{% block why %}", "{% block why %}Warm regards from the North. ")
    (tmp_path / "partials").mkdir()
    (tmp_path / "partials" / "footer.j2").write_text(own, encoding="utf-8")

    text = preview(Renderer([tmp_path]), "fault_opened", "en", "email", BRAND).text

    assert "Warm regards from the North." in text


def test_a_template_is_another_version_once_it_or_a_partial_changes(tmp_path: Path) -> None:
    shipped = Renderer().version("test")
    (tmp_path / "test.j2").write_text("{% block subject %}S{% endblock %}", encoding="utf-8")
    own = Renderer([tmp_path])

    assert own.version("test") != shipped
    assert own.version("offer") == Renderer().version("offer")


def test_an_sms_that_is_too_long_is_a_warning(tmp_path: Path) -> None:
    text = "{% block subject %}S{% endblock %}{% block sentence %}" + "word " * 200 + "{% endblock %}"
    (tmp_path / "test.j2").write_text(text, encoding="utf-8")
    warnings = [one for one in check(Renderer([tmp_path]), BRAND, ["en"]) if "SMS segments" in one.what]

    assert [one.where for one in warnings] == ["test en sms"]
