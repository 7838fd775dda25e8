"""The JSON API: all that the console shows and does, for programs."""
