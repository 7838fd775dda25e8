"""How several fields move together: their covariance, and the map that takes what is usual out of it.

A fault often leaves each value within its range and breaks what they have to do with each other: the compressor draws
its usual power and the cabinet, which is as cold as ever, does not get colder by it. In whitened coordinates every
direction has spread 1, the narrow ones too, so that such a break is as far out as it is rare (Mahalanobis 1936;
Hotelling's T²).
"""

import math
from collections.abc import Sequence

RIDGE = 0.02
"""Added to each variance, in its own measure: fields that copy each other must not make rounding an anomaly."""


def size(fields: int) -> int:
    """Return how many numbers a triangle of so many fields has."""
    return fields * (fields + 1) // 2


def take(covariance: list[float], values: Sequence[float], rate: float) -> None:
    """Take one sample of deviations from the usual into the covariance, its lower triangle by rows, in place."""
    index = 0
    for row, value in enumerate(values):
        for column in range(row + 1):
            known = covariance[index]
            covariance[index] = known + rate * (value * values[column] - known)
            index += 1


def whitener(covariance: Sequence[float], fields: int) -> list[float]:
    """Return the inverse of the Cholesky factor of the covariance, its lower triangle by rows."""
    factor = _cholesky(covariance, fields)
    inverse = [0.0] * len(factor)
    for column in range(fields):
        for row in range(column, fields):
            start = row * (row + 1) // 2
            total = 1.0 if row == column else 0.0
            for k in range(column, row):
                total -= factor[start + k] * inverse[k * (k + 1) // 2 + column]
            inverse[start + column] = total / factor[start + row]
    return inverse


def whiten(inverse: Sequence[float], values: Sequence[float]) -> list[float]:
    """Apply a whitener to one sample of deviations."""
    result = []
    index = 0
    for row in range(len(values)):
        total = 0.0
        for column in range(row + 1):
            total += inverse[index] * values[column]
            index += 1
        result.append(total)
    return result


def unwhiten(inverse: Sequence[float], whitened: Sequence[float]) -> list[float]:
    """Undo ``whiten``."""
    values: list[float] = []
    index = 0
    for total in whitened:
        for value in values:
            total -= inverse[index] * value
            index += 1
        values.append(total / inverse[index])
        index += 1
    return values


def rooms(inverse: Sequence[float], fields: int) -> list[float]:
    """Return the standard deviation that the others leave each field: 1 / Pᵢᵢ is its variance, P = LᵀL the precision
    matrix, L the whitener."""
    columns = (sum(inverse[row * (row + 1) // 2 + i] ** 2 for row in range(i, fields)) for i in range(fields))
    return [1 / math.sqrt(precision) for precision in columns]


def residuals(inverse: Sequence[float], whitened: Sequence[float], left: Sequence[float]) -> list[float]:
    """Return by how much each field departs from what the others say it should be: (P z)ᵢ / Pᵢᵢ, in the standard
    deviation of that, which is in ``left``."""
    pulls = [0.0] * len(whitened)
    index = 0
    for row, value in enumerate(whitened):
        for column in range(row + 1):
            pulls[column] += inverse[index] * value
            index += 1
    return [pull * room for pull, room in zip(pulls, left, strict=True)]


def _cholesky(covariance: Sequence[float], fields: int) -> list[float]:
    factor = [0.0] * len(covariance)
    for row in range(fields):
        start = row * (row + 1) // 2
        for column in range(row + 1):
            other = column * (column + 1) // 2
            total = covariance[start + column]
            for k in range(column):
                total -= factor[start + k] * factor[other + k]
            if row == column:
                variance = covariance[start + row]
                ridge = RIDGE * variance
                # A field that never moved has no variance: 1 keeps it out of the way.
                factor[start + row] = math.sqrt(max(total + ridge, ridge)) if variance > 0 else 1.0
            else:
                factor[start + column] = total / factor[other + column]
    return factor
