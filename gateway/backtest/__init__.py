"""Rules tried on what was recorded: files of samples or the gateway's own history, by the very engine."""
