"""When to act: detection knows one device and emits transitions, response turns them into help for people. Pure."""
