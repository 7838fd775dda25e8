"""How much learning the channel gains: simulated customers with hidden tastes, reached through the real ``choose``."""
