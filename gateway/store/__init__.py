"""The store: what must survive, written by one writer in one transaction a batch."""
