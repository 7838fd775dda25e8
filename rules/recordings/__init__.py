"""Rules over recorded data: the very engine, what would have come of it, and how well it did."""
