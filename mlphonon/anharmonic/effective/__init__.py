"""Effective force constants: those that fit the forces on atoms that move at a temperature."""

from mlphonon.anharmonic.effective.settings import EffectiveSettings
from mlphonon.anharmonic.effective.solve import effective_phonons

__all__ = ["EffectiveSettings", "effective_phonons"]
