"""``gateway bench``: how much a real gateway takes in, and how fast, beside what the parts under it do alone."""
