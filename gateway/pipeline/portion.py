"""How many messages one commit takes."""

COMMIT_S = 0.5
"""What a form, a mail's hand-over or a claim waits at most behind messages that are costly: each opens a case, say."""
_FEWEST = 10


class Portion:
    """As many messages as lately fitted into ``COMMIT_S``.

    A message costs a commit 60 µs as a rule and several ms where it opens a case; when a whole fleet grows hot at once,
    two thousand of them would hold up for ten seconds and more whatever people do meanwhile.
    """

    def __init__(self, size: int = 2_000) -> None:
        """``size``: to begin with."""
        self.size = size

    def took(self, messages: int, seconds: float) -> None:
        """Learn from a commit of so many messages, counting the commands that went with it."""
        if seconds > COMMIT_S:
            self.size = max(_FEWEST, min(self.size, int(messages * COMMIT_S / seconds)))
        elif messages >= self.size:
            self.size *= 2
