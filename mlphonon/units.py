"""Constants of the SI of 2019, exact, between the units of this field."""

from __future__ import annotations

KELVIN_PER_THZ = 47.992430733662
"""h / k_B, K/THz."""

CM_PER_THZ = 33.35640951981521
"""1 / c, cm^-1/THz."""

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

G_PER_CM3_PER_AMU_PER_A3 = 1.660539040
"""amu/A^3 (CODATA 2014, as ASE has it), g/cm^3."""

GPA_PER_AMU_THZ2_PER_A = 1.660539040e-2
"""A density times a velocity squared, amu/A^3 (A THz)^2, GPa."""
