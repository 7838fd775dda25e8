"""How surprising a count is, given what was counted before: is this more than it usually is?

Faults of devices that have nothing to do with each other come about like raindrops: a Poisson process, whose rate is
not known but was watched for a while. With a gamma distribution as what is believed of the rate (the conjugate prior),
the next count is negative binomial, and the chance of so many or more is a regularised incomplete beta function (Gelman
et al., Bayesian Data Analysis, 3rd ed., 2.6-2.7; NIST DLMF 8.17). So a short watch asks for more than a long one.
"""

import math

_MOST_TERMS = 500
_TINY = 1e-300
_CLOSE = 1e-13


def chance_of(count: int, exposure: float, past_count: float, past_exposure: float) -> float:
    """Return the chance of ``count`` or more within ``exposure``, the rate being as it was.

    Args:
        count: What is seen now.
        exposure: How much is looked at now, in any unit above 0, such as devices times windows.
        past_count: What was seen before, what is believed beforehand included; above 0.
        past_exposure: How much was looked at for that, in the same unit, above 0.
    """
    if count <= 0:
        return 1.0
    return _incomplete_beta(exposure / (exposure + past_exposure), float(count), past_count)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b) (DLMF 8.17.2, 8.17.22)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    # The fraction converges fast on this side of the mean, and I_x(a, b) = 1 - I_(1-x)(b, a) leads there (8.17.4).
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _fraction(x, a, b) / a
    return max(0.0, 1.0 - front * _fraction(1.0 - x, b, a) / b)


def _fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction of DLMF 8.17.22 by Lentz's method."""
    c, d = 1.0, 1.0 / _off_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _MOST_TERMS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 / _off_zero(1.0 + term * d)
            c = _off_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < _CLOSE:
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
