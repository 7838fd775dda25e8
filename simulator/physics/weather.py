"""Outdoor air over a day."""

import math

COLDEST_HOUR = 5.0


def outdoor_c(mean_c: float, swing_c: float, local_hour: float) -> float:
    """Return the outdoor temperature: a cosine that is lowest at ``COLDEST_HOUR`` and ``swing_c`` around ``mean_c``."""
    return mean_c - swing_c * math.cos((local_hour - COLDEST_HOUR) / 24 * 2 * math.pi)
