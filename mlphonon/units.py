"""Constants of the SI of 2019, between the units of this field."""

from __future__ import annotations

KELVIN_PER_THZ = 47.992430733662
"""h / k_B, K/THz."""

CM_PER_THZ = 33.35640951981521
"""1 / c, cm^-1/THz."""

AMU = 1.66053906660e-27
"""Atomic mass constant of CODATA 2018, kg."""

G_PER_CM3 = AMU * 1e27
"""amu/A^3, g/cm^3."""

THZ_OF_STIFFNESS = 15.633302
"""Frequency of 1 amu held by 1 eV/A^2, THz (phonopy's factor)."""

GAS_CONSTANT = 8.31446261815324
"""J/K/mol."""

J_PER_EV_MOL = 96485.33212331
"""One eV for each of a mole, J/mol."""

BOLTZMANN = 8.617333262145179e-5
"""k_B, eV/K."""

EV_PER_THZ = BOLTZMANN * KELVIN_PER_THZ
"""h, eV/THz."""

GPA_PER_EV_PER_A3 = 160.21766340
"""eV/A^3, GPa."""
