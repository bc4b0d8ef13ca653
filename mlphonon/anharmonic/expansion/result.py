"""Thermal expansion and what comes with it, and what says how far to believe it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.anharmonic.expansion.settings import ExpansionSettings
from mlphonon.anharmonic.verdict import describe_verdict
from mlphonon.phonons.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ExpansionRecord(BaseModel):
    """Where an expansion came from: frozen, and JSON as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: ExpansionSettings
    harmonic: Record
    """Of the phonons at rest."""

    left_out: tuple[str, ...] = ()
    """Volumes with imaginary modes, in words."""

    warnings: tuple[str, ...] = ()
    """What there is to be said against it."""

    verdict: str


@dataclass(frozen=True)
class Axes:
    """Lengths of the axes of the conventional cell.

    Attributes
    ----------
    lengths : ndarray, shape (n_temperatures, 3)
        A.
    expansions : ndarray, shape (n_temperatures, 3)
        Linear expansion along each, 1/K.
    """

    lengths: np.ndarray
    expansions: np.ndarray


@dataclass(frozen=True)
class QuasiHarmonic:
    """A crystal at temperatures, in the quasi-harmonic approximation.

    Everything is per primitive cell of `n_atoms` atoms.

    Attributes
    ----------
    temperatures : ndarray, shape (n_temperatures,)
        K; up to where the volumes reach.
    volumes : ndarray, shape (n_volumes,)
        Of the cells that were computed, without those left out, A^3.
    static_energies : ndarray, shape (n_volumes,)
        Of the crystal at rest, eV.
    helmholtz : ndarray, shape (n_temperatures, n_volumes)
        Static and vibrational free energy, eV.
    equilibrium_volumes : ndarray, shape (n_temperatures,)
        A^3.
    expansion : ndarray, shape (n_temperatures,)
        Of the volume, 1/K.
    bulk_moduli : ndarray, shape (n_temperatures,)
        Isothermal, GPa.
    heat_capacity : ndarray, shape (n_temperatures,)
        At constant pressure, J/K/mol of primitive cells.
    gruneisen : ndarray, shape (n_temperatures,)
        Thermodynamic, alpha B V / C_V.
    n_atoms : int
        In the primitive cell.
    axes : Axes, optional
        Along the volumes; of the free minimum where it was asked for.
    record : ExpansionRecord
        Where it came from.
    """

    temperatures: np.ndarray
    volumes: np.ndarray
    static_energies: np.ndarray
    helmholtz: np.ndarray
    equilibrium_volumes: np.ndarray
    expansion: np.ndarray
    bulk_moduli: np.ndarray
    heat_capacity: np.ndarray
    gruneisen: np.ndarray
    n_atoms: int
    axes: Axes | None
    record: ExpansionRecord

    def at(self, temperature: float) -> dict[str, float]:
        """Return volume, expansion, bulk modulus and heat capacity at a temperature, K."""
        t = self.temperatures

        def of(values: np.ndarray) -> float:
            return float(np.interp(temperature, t, values))

        return {
            "volume_A3": of(self.equilibrium_volumes),
            "expansion_1e-6_per_K": 1e6 * of(self.expansion),
            "bulk_modulus_GPa": of(self.bulk_moduli),
            "C_P_J_per_K_mol_atoms": of(self.heat_capacity) / self.n_atoms,
            "gruneisen": of(self.gruneisen),
        }

    def summary(self) -> dict[str, Any]:
        """Return what one wants to know at a glance, as plain types; units in the names."""
        wanted = min(300.0, float(self.temperatures[-1]))
        found = {
            "name": self.record.harmonic.name,
            "temperature_K": wanted,
            **self.at(wanted),
            "last_temperature_K": float(self.temperatures[-1]),
            "verdict": self.record.verdict,
            "record": self.record.model_dump(mode="json"),
        }
        if self.axes is not None:
            index = int(np.argmin(np.abs(self.temperatures - wanted)))
            found["axes_A"] = self.axes.lengths[index].tolist()
            found["axial_expansion_1e-6_per_K"] = (1e6 * self.axes.expansions[index]).tolist()
        return found

    def describe(self) -> list[str]:
        """Return what is printed."""
        record = self.record
        lines = [
            f"{record.harmonic.name}: quasi-harmonic, {len(self.volumes)} volumes of"
            f" {self.volumes[0]:.2f} to {self.volumes[-1]:.2f} A^3, potential"
            f" {record.harmonic.potential['name']}"
        ]
        for t in (0.0, 300.0, float(self.temperatures[-1])):
            if self.temperatures[0] <= t <= self.temperatures[-1]:
                at = self.at(t)
                lines.append(
                    f"  {t:g} K: volume {at['volume_A3']:.3f} A^3, expansion"
                    f" {at['expansion_1e-6_per_K']:.1f}e-6 /K, B {at['bulk_modulus_GPa']:.1f} GPa,"
                    f" C_P {at['C_P_J_per_K_mol_atoms']:.2f} J/K per mole of atoms,"
                    f" gamma {at['gruneisen']:.2f}"
                )
        if self.axes is not None:
            index = int(np.argmin(np.abs(self.temperatures - 300)))
            axes = ", ".join(f"{x:.4f}" for x in self.axes.lengths[index])
            slopes = ", ".join(f"{1e6 * x:.1f}" for x in self.axes.expansions[index])
            lines.append(
                f"  axes at {self.temperatures[index]:g} K: {axes} A, expanding by {slopes} e-6 /K"
            )
        lines += [f"  left out: {text}" for text in record.left_out]
        lines += [f"  ! {text}" for text in record.warnings]
        return [*lines, describe_verdict(record.verdict)]

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw free energies, expansion, bulk modulus and heat capacity."""
        from mlphonon.report.expansion import plot_expansion
        from mlphonon.report.figures import save_figure

        figure = plot_expansion(self)
        if path is not None:
            save_figure(figure, Path(path))
        return figure

    def save(self, folder: str | Path) -> Path:
        """Write all files of the result into `folder`; it appears whole or not at all.

        Raises
        ------
        ResultError
            If the folder cannot be written.
        """
        from mlphonon.anharmonic.expansion.files import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> QuasiHarmonic:
        """Read back what `save` wrote.

        Raises
        ------
        ResultError
            If the folder does not hold a whole result.
        """
        from mlphonon.anharmonic.expansion.files import load

        return load(Path(folder))
