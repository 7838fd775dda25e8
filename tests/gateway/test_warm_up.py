import time

from gateway.outbox.warm_up import warm_up


def test_what_is_warmed_up_is_quick_from_then_on() -> None:
    warm_up()
    began = time.process_time()
    warm_up()
    # Compiling the templates alone takes several times as long; two renderings take a few milliseconds.
    assert time.process_time() - began < 0.1
