"""The simulated products: physics, the people who use them, and what their electronics report in which dialect."""
