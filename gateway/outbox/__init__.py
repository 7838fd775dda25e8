"""The outbox: what was decided to be said, committed with its cause, and then carried out."""
