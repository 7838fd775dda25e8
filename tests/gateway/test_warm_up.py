"""What the first message would otherwise have to wait for."""

from gateway.outbox.warm_up import warm_up
from notifiers.wording.render import _shipped


def test_warming_up_reads_catalogues_and_compiles_the_templates_of_a_first_message() -> None:
    _shipped.cache_clear()
    warm_up()
    compiled = {name for _, name in _shipped()._environment.cache or ()}
    assert {"fault_opened.j2", "layouts/mail.html.j2"} <= compiled
