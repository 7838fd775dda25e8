"""``python -m gateway``."""

import atexit
import gc

# Importing makes a third of a million objects that stay and no garbage: to look for it would take a sixth of the start.
gc.disable()
from gateway.cli import main  # noqa: E402

gc.freeze()
gc.enable()
# And what there is at the end goes with the process: to look through it takes the better part of a second after `run`.
atexit.register(gc.freeze)

# A process that we start for a backtest imports this module once more.
if __name__ == "__main__":
    main()
