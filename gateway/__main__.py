"""``python -m gateway``."""

import atexit
import gc


def main() -> None:
    """Run the command line."""
    # Importing makes a third of a million objects that stay and no garbage: looking for it takes a sixth of the start.
    gc.disable()
    # Here, because a process that we start for a backtest imports this module once more, and needs no command line.
    from gateway.cli import main as run

    gc.freeze()
    gc.enable()
    # And what there is at the end goes with the process: looking through it takes most of a second after `run`.
    atexit.register(gc.freeze)
    run()


if __name__ == "__main__":
    main()
