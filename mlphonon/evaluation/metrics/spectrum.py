"""Frequencies with weights, from a mesh or a density, and their harmonic thermodynamics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlphonon.units import GAS_CONSTANT, KELVIN_PER_THZ


@dataclass(frozen=True)
class Spectrum:
    """Frequencies on the irreducible part of a mesh.

    A density of states is one too: its frequencies in a single column, its values as weights.

    Attributes
    ----------
    frequencies : ndarray, shape (n_qpoints, n_bands)
        THz, imaginary ones negative, in ascending order at each q-point.
    weights : ndarray, shape (n_qpoints,)
        Multiplicity of each q-point.
    """

    frequencies: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        if self.frequencies.ndim != 2 or self.weights.shape != self.frequencies.shape[:1]:
            raise ValueError(
                f"frequencies of shape {self.frequencies.shape} and weights of shape"
                f" {self.weights.shape} do not belong together"
            )
        object.__setattr__(self, "frequencies", np.sort(self.frequencies, axis=1))

    @classmethod
    def of_density(cls, frequencies: np.ndarray, density: np.ndarray) -> Spectrum:
        """Make one of a density of states, both of shape (n,); density of any unit."""
        return cls(np.asarray(frequencies, dtype=float)[:, None], np.asarray(density, dtype=float))

    @property
    def is_density(self) -> bool:
        """Whether it is a density of states: a crystal has three bands at least."""
        return self.frequencies.shape[1] == 1

    @property
    def mode_weights(self) -> np.ndarray:
        """Weight of each mode, shape (n_qpoints, n_bands); they sum to one."""
        each = np.broadcast_to(self.weights[:, None], self.frequencies.shape).astype(float)
        return each / each.sum()


@dataclass(frozen=True)
class HarmonicProperties:
    """Harmonic thermodynamics at one temperature, per mole of atoms.

    Attributes
    ----------
    entropy, heat_capacity : float
        S and C_V, J/K/mol.
    free_energy : float
        F with the zero-point energy, kJ/mol.
    """

    entropy: float
    heat_capacity: float
    free_energy: float


def harmonic_properties(spectrum: Spectrum, temperature: float) -> HarmonicProperties:
    """Sum the contributions of harmonic oscillators over the modes with real frequencies.

    phonopy's own sums want a dynamical matrix, which a reference of frequencies has not.
    Modes below 1e-3 THz are left out: an acoustic mode at Gamma has no finite entropy, an
    imaginary one no thermodynamics.

    Parameters
    ----------
    spectrum : Spectrum
        The frequencies.
    temperature : float
        K, above zero.
    """
    kept = spectrum.frequencies > 1e-3
    weights = 3 * spectrum.mode_weights[kept]  # three modes to an atom
    x = spectrum.frequencies[kept] * KELVIN_PER_THZ / temperature
    occupation, log_term = 1 / np.expm1(x), np.log1p(-np.exp(-x))
    return HarmonicProperties(
        entropy=GAS_CONSTANT * float(weights @ (x * occupation - log_term)),
        heat_capacity=GAS_CONSTANT * float(weights @ (x**2 * occupation * (occupation + 1))),
        free_energy=1e-3 * GAS_CONSTANT * temperature * float(weights @ (x / 2 + log_term)),
    )
