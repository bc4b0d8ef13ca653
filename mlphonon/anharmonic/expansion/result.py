"""Thermal expansion and what comes with it, and what says how far to believe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.anharmonic.expansion.settings import ThermalExpansionSettings
from mlphonon.anharmonic.verdict import describe_verdict
from mlphonon.io.result import ArrayResult
from mlphonon.phonons.record import Record


class ExpansionRecord(BaseModel):
    """Where an expansion came from: frozen, and JSON as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: ThermalExpansionSettings
    harmonic: Record
    """Of the phonons at rest."""

    left_out: tuple[str, ...] = ()
    """Volumes with imaginary modes, in words."""

    warnings: tuple[str, ...] = ()
    """What speaks against it."""

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
class ThermalExpansion(ArrayResult):
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

    kind: ClassVar[str] = "thermal_expansion"
    words: ClassVar[str] = "a thermal expansion"
    format: ClassVar[int] = 2
    figures: ClassVar[Mapping[str, str]] = {
        "thermal_expansion.png": "mlphonon.report.expansion:plot_expansion"
    }

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

    def table(self) -> dict[str, np.ndarray]:
        """Return what depends on temperature, one row for each; heat capacity per mole of atoms."""
        columns = {
            "temperature_K": self.temperatures,
            "volume_A3_per_primitive_cell": self.equilibrium_volumes,
            "volumetric_expansion_per_K": self.expansion,
            "linear_expansion_per_K": self.expansion / 3,
            "bulk_modulus_GPa": self.bulk_moduli,
            "C_P_J_per_K_mol_atoms": self.heat_capacity / self.n_atoms,
            "gruneisen": self.gruneisen,
        }
        if self.axes is not None:
            for name, lengths, slopes in zip(
                "abc", self.axes.lengths.T, self.axes.expansions.T, strict=True
            ):
                columns |= {f"{name}_A": lengths, f"expansion_of_{name}_per_K": slopes}
        return columns
