"""When to act. Detection knows one device and emits transitions; response knows people and turns them into help. Pure."""
