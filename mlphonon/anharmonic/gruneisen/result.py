"""Mode Grueneisen parameters, and what says how far to believe them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.anharmonic.gruneisen.settings import GruneisenSettings
from mlphonon.anharmonic.verdict import describe_verdict
from mlphonon.io.result import ArrayResult
from mlphonon.phonons.record import Record
from mlphonon.units import KELVIN_PER_THZ

SOFT = 0.05
"""THz; below, gamma of a mode is a quotient of two small numbers and is left out of means."""


class GruneisenRecord(BaseModel):
    """Where Grueneisen parameters came from: frozen, and JSON as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: GruneisenSettings
    harmonic: Record
    cell: str
    """What relaxed in the strained cells with the positions: "shape" or "none"."""

    nonlinearity: float
    """Mean change of gamma, weighted as at 300 K, where strains are twice as large, over gamma."""

    third_order_difference: float | None = None
    """Root mean square difference from gamma by third-order force constants, weighted so."""

    warnings: tuple[str, ...] = ()
    verdict: str


@dataclass(frozen=True)
class Gruneisen(ArrayResult):
    """Mode Grueneisen parameters gamma = -d ln(frequency) / d ln(volume).

    Attributes
    ----------
    qpoints : ndarray, shape (n_q, 3)
        Irreducible points of a mesh, in reciprocal vectors of the primitive cell.
    weights : ndarray, shape (n_q,)
        How many points of the mesh each stands for.
    frequencies : ndarray, shape (n_q, n_bands)
        THz.
    gamma : ndarray, shape (n_q, n_bands)
        Without unit.
    path_distances : tuple of ndarray, each of shape (n,)
        Along the band path, 1/A.
    path_frequencies, path_gamma : tuple of ndarray, each of shape (n, n_bands)
        There; gamma is NaN where the frequency vanishes.
    path_labels : tuple of (str, str)
        Names of the first and last point of each piece.
    third_order : ndarray, shape (n_q, n_bands), optional
        Gamma by third-order force constants.
    record : GruneisenRecord
        Where it came from.
    """

    kind: ClassVar[str] = "gruneisen"
    words: ClassVar[str] = "Grueneisen parameters"
    format: ClassVar[int] = 2
    figures: ClassVar[Mapping[str, str]] = {
        "gruneisen.png": "mlphonon.report.gruneisen:plot_gruneisen"
    }

    qpoints: np.ndarray
    weights: np.ndarray
    frequencies: np.ndarray
    gamma: np.ndarray
    path_distances: tuple[np.ndarray, ...]
    path_frequencies: tuple[np.ndarray, ...]
    path_gamma: tuple[np.ndarray, ...]
    path_labels: tuple[tuple[str, str], ...]
    third_order: np.ndarray | None
    record: GruneisenRecord

    def mean(self, temperature: float, gamma: np.ndarray | None = None) -> float:
        """Return the mean of gamma weighted by the heat capacities of the modes.

        That is what drives thermal expansion: alpha = gamma C_V / (B V).

        Parameters
        ----------
        temperature : float
            K.
        gamma : ndarray, shape (n_q, n_bands), optional
            Others than these, such as those by third order.
        """
        weights = heat_weights(self.frequencies, self.weights, temperature)
        return float((weights * (self.gamma if gamma is None else gamma)).sum())

    def summary(self) -> dict[str, Any]:
        """Return what one wants to know at a glance, as plain types; units in the names."""
        found = {
            "name": self.record.harmonic.name,
            "gamma_300K": self.mean(300.0),
            "gamma_100K": self.mean(100.0),
            "gamma_lowest": float(self.gamma[self.frequencies > SOFT].min()),
            "gamma_highest": float(self.gamma[self.frequencies > SOFT].max()),
            "verdict": self.record.verdict,
            "record": self.record.model_dump(mode="json"),
        }
        if self.third_order is not None:
            found["gamma_300K_by_third_order"] = self.mean(300.0, self.third_order)
        return found

    def describe(self) -> list[str]:
        """Return what is printed."""
        record, stiff = self.record, self.frequencies > SOFT
        lines = [
            f"{record.harmonic.name}: Grueneisen parameters from volumes of +-"
            f"{100 * record.settings.strain:g} %, potential {record.harmonic.potential['name']}",
            f"  mean {self.mean(100.0):.3f} at 100 K, {self.mean(300.0):.3f} at 300 K,"
            f" {self.mean(3000.0):.3f} classically; modes from {self.gamma[stiff].min():.2f} to"
            f" {self.gamma[stiff].max():.2f}; twice the strain changes it by"
            f" {100 * record.nonlinearity:.1f} %",
        ]
        if self.third_order is not None:
            lines.append(
                f"  by third order: {self.mean(300.0, self.third_order):.3f} at 300 K; modes differ"
                f" by {record.third_order_difference:.3f} (root mean square)"
            )
        lines += [f"  ! {text}" for text in record.warnings]
        return [*lines, describe_verdict(record.verdict)]

    def table(self) -> dict[str, np.ndarray]:
        """Return frequency and gamma of every mode of the mesh, and what each counts."""
        counts = np.repeat(self.weights, self.frequencies.shape[1])
        columns = {
            "frequency_THz": self.frequencies.ravel(),
            "gruneisen": self.gamma.ravel(),
            "weight": counts,
        }
        if self.third_order is not None:
            columns["gruneisen_by_third_order"] = self.third_order.ravel()
        return columns


def heat_weights(frequencies: np.ndarray, weights: np.ndarray, temperature: float) -> np.ndarray:
    """Return the share of each mode in the heat capacity, shape of `frequencies`; sums to 1.

    Parameters
    ----------
    frequencies : ndarray, shape (n_q, n_bands)
        THz; those below `SOFT` get none.
    weights : ndarray, shape (n_q,)
        Of the q-points.
    temperature : float
        K.
    """
    x = np.where(frequencies > SOFT, KELVIN_PER_THZ * frequencies / temperature, np.inf)
    # C/k = (x/2)^2 / sinh(x/2)^2; beyond 600 it is nothing, and sinh overflows.
    half = np.minimum(x, 600.0) / 2
    heat = np.where(np.isfinite(x), (half / np.sinh(half)) ** 2, 0.0) * weights[:, None]
    return np.asarray(heat / heat.sum())
