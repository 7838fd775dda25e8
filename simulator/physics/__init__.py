"""Pure steppers: state and a time step in, state out. Chance is a ``random.Random`` passed in; no clock is read."""
