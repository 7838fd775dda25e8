"""How customers' words come in by mail, and what is asked of services outside about them."""
