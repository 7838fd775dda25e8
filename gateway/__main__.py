"""``python -m gateway``."""

from gateway.cli import main

# A process that we start for a backtest imports this module once more.
if __name__ == "__main__":
    main()
