"""``python -m gateway``."""

import gc

# Importing makes a third of a million objects and no garbage: to look for it would take a sixth of the start.
gc.disable()
from gateway.cli import main  # noqa: E402

gc.enable()

# A process that we start for a backtest imports this module once more.
if __name__ == "__main__":
    main()
