"""Which channel a person answers on, learned from what became of earlier messages."""
