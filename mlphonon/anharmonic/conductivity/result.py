"""A thermal conductivity, mode by mode, with what says how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.anharmonic.conductivity.description import describe
from mlphonon.anharmonic.conductivity.settings import ThermalConductivitySettings
from mlphonon.anharmonic.third_order.result import Provenance
from mlphonon.io.result import ArrayResult
from mlphonon.phonons.record import Record


class ConductivityRecord(BaseModel):
    """Where a thermal conductivity came from: frozen, and JSON as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: ThermalConductivitySettings
    mesh: tuple[int, ...]
    """Points along the axes of the reciprocal cell (nine numbers of a generalised grid)."""

    volume_A3: float
    """Of the primitive cell."""

    harmonic: Record | None
    """Of the phonons; None where force constants were read from elsewhere."""

    third_order: Provenance | None
    verdict: str | None = None
    """Of the harmonic phonons."""

    warnings: tuple[str, ...] = ()
    """What speaks against it."""

    series: tuple[tuple[str, float], ...] = ()
    """What was grown, and the conductivity at the first temperature with it, W/m/K."""

    seconds: float = 0.0


@dataclass(frozen=True)
class Accumulation:
    """How the conductivity adds up along an axis.

    Attributes
    ----------
    points : ndarray, shape (n_temperatures, n)
        Frequencies (THz) or mean free paths (A).
    cumulative : ndarray, shape (n_temperatures, n)
        Conductivity of the modes up to there, mean of the diagonal, W/m/K.
    density : ndarray, shape (n_temperatures, n)
        Its slope, W/m/K per unit of the points.
    """

    points: np.ndarray
    cumulative: np.ndarray
    density: np.ndarray


@dataclass(frozen=True)
class ThermalConductivity(ArrayResult):
    """Thermal conductivity of the lattice.

    Attributes
    ----------
    kappa : ndarray, shape (n_temperatures, 3, 3)
        The tensor, W/m/K, in the Cartesian axes of the primitive cell.
    coherences : ndarray, shape (n_temperatures, 3, 3)
        What of it flows between bands; zero unless the transport is Wigner's.
    qpoints : ndarray, shape (n_q, 3)
        Irreducible, in reciprocal vectors of the primitive cell.
    weights : ndarray, shape (n_q,)
        How many points of the mesh each stands for.
    frequencies : ndarray, shape (n_q, n_bands)
        THz.
    group_velocities : ndarray, shape (n_q, n_bands, 3)
        THz A (1 THz A = 100 m/s; with the factor 2 pi).
    linewidths : ndarray, shape (n_temperatures, n_q, n_bands)
        Half width at half maximum of all that scatters, THz.
    mode_kappa : ndarray, shape (n_temperatures, n_q, n_bands)
        Contributions of the whole star of each q-point, mean of the diagonal, coherences
        included, W/m/K; their sum over the number of mesh points is the conductivity.
    by_frequency, by_mean_free_path : Accumulation
        Of the populations, without coherences.
    record : ConductivityRecord
        Where it came from.
    """

    kind: ClassVar[str] = "thermal_conductivity"
    words: ClassVar[str] = "a thermal conductivity"
    format: ClassVar[int] = 2
    figures: ClassVar[Mapping[str, str]] = {
        "thermal_conductivity.png": "mlphonon.report.conductivity:plot_conductivity"
    }

    kappa: np.ndarray
    coherences: np.ndarray
    qpoints: np.ndarray
    weights: np.ndarray
    frequencies: np.ndarray
    group_velocities: np.ndarray
    linewidths: np.ndarray
    mode_kappa: np.ndarray
    by_frequency: Accumulation
    by_mean_free_path: Accumulation
    record: ConductivityRecord

    @property
    def temperatures(self) -> np.ndarray:
        """K, shape (n_temperatures,)."""
        return self.record.settings.temperatures.values

    @property
    def populations(self) -> np.ndarray:
        """What flows within bands, W/m/K, shape (n_temperatures, 3, 3)."""
        return self.kappa - self.coherences

    @property
    def average(self) -> np.ndarray:
        """Mean of the diagonal of the tensor, W/m/K, shape (n_temperatures,)."""
        return np.trace(self.kappa, axis1=1, axis2=2) / 3

    @property
    def lifetimes(self) -> np.ndarray:
        """1 / (4 pi linewidth), ps, shape (n_temperatures, n_q, n_bands); inf where none."""
        with np.errstate(divide="ignore"):
            return np.where(self.linewidths > 0, 1 / (4 * np.pi * self.linewidths), np.inf)

    @property
    def mean_free_paths(self) -> np.ndarray:
        """Speed times lifetime, A, shape (n_temperatures, n_q, n_bands)."""
        # Group velocities carry 2 pi: a speed is in A/ps as it stands.
        speeds = np.linalg.norm(self.group_velocities, axis=2)
        with np.errstate(invalid="ignore"):
            return np.where(speeds > 0, self.lifetimes * speeds, 0.0)

    def summary(self) -> dict[str, Any]:
        """Return what one wants to know at a glance, as plain types; units in the names."""
        harmonic = self.record.harmonic
        return {
            "name": None if harmonic is None else harmonic.name,
            "transport": self.record.settings.transport,
            "temperatures_K": self.temperatures.tolist(),
            "kappa_W_per_m_K": self.average.tolist(),
            "kappa_tensor_W_per_m_K": self.kappa.tolist(),
            "coherences_W_per_m_K": (np.trace(self.coherences, axis1=1, axis2=2) / 3).tolist(),
            "record": self.record.model_dump(mode="json"),
        }

    def describe(self) -> list[str]:
        """Return what is printed."""
        return describe(self)

    def table(self) -> dict[str, np.ndarray]:
        """Return the tensor and what flows between bands, one row a temperature, W/m/K."""
        k = self.kappa
        return {
            "temperature_K": self.temperatures,
            "kappa_average": self.average,
            "xx": k[:, 0, 0],
            "yy": k[:, 1, 1],
            "zz": k[:, 2, 2],
            "yz": k[:, 1, 2],
            "xz": k[:, 0, 2],
            "xy": k[:, 0, 1],
            "coherences_average": np.trace(self.coherences, axis1=1, axis2=2) / 3,
        }
