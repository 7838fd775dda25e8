"""How much heat frozen food holds: why a freezer stays cold for hours."""

import math

REFERENCE_C = -40.0
"""Enthalpy is counted from here, as in the ASHRAE tables."""
INITIAL_FREEZING_C = -1.0
FROZEN_J_KG_K = 1_900.0
THAWED_J_KG_K = 3_400.0

_LATENT_J_KG = 333_600.0
_FREEZABLE_WATER = 0.65
"""Mass fraction: 0.70 water less 0.05 that is bound and never freezes; between lean meat and vegetables."""
_K = _FREEZABLE_WATER * _LATENT_J_KG * -INITIAL_FREEZING_C
_AT_REFERENCE = _K / -REFERENCE_C


def enthalpy_j_kg(temperature_c: float) -> float:
    """Return the heat one kilogram holds at ``temperature_c``, above that at ``REFERENCE_C``.

    Source: Schwartzberg (1976), as in ASHRAE Handbook Refrigeration, "Thermal Properties of Foods": the apparent heat
    capacity of food that freezes is ``c_f + (x_w - x_b) L (0 - t_f) / (0 - t)²``, here integrated.
    """
    if temperature_c <= INITIAL_FREEZING_C:
        return FROZEN_J_KG_K * (temperature_c - REFERENCE_C) + _K / -temperature_c - _AT_REFERENCE
    return enthalpy_j_kg(INITIAL_FREEZING_C) + THAWED_J_KG_K * (temperature_c - INITIAL_FREEZING_C)


_THAWED_FROM = enthalpy_j_kg(INITIAL_FREEZING_C)


def temperature_c(enthalpy: float) -> float:
    """Return the temperature at which one kilogram holds ``enthalpy`` joules: the inverse of ``enthalpy_j_kg``."""
    if enthalpy > _THAWED_FROM:
        return INITIAL_FREEZING_C + (enthalpy - _THAWED_FROM) / THAWED_J_KG_K
    # With u = -t the curve is c_f u² + b u - K = 0, whose positive root is wanted.
    b = enthalpy + FROZEN_J_KG_K * REFERENCE_C + _AT_REFERENCE
    return -(-b + math.sqrt(b * b + 4 * FROZEN_J_KG_K * _K)) / (2 * FROZEN_J_KG_K)
