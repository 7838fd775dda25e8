"""The pipeline: the one writer, from a message in the log to what was committed of it."""
