"""Phonons at a temperature beside the harmonic ones: what is printed, drawn and written of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mlphonon.anharmonic.sscha.history import History
from mlphonon.io.result import Result
from mlphonon.phonons.phonons import Phonons
from mlphonon.phonons.renormalisation import Renormalisation

HISTORY = "convergence.json"
HARMONIC, CURVATURE = "harmonic", "curvature"

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


@dataclass(frozen=True)
class PhononsAtTemperature(Result):
    """Phonons at a temperature, and the harmonic ones they came from.

    Attributes
    ----------
    phonons : Phonons
        At the temperature; how they were made is in ``phonons.record.renormalisation``.
    harmonic : Phonons
        At the minimum of the potential.
    history : History, optional
        Of self-consistent phonons: convergence, and errors at each wave vector.
    curvature : Phonons, optional
        Of the free energy, where it was asked for: imaginary modes are instabilities.
    """

    kind: ClassVar[str] = "phonons_at_temperature"
    words: ClassVar[str] = "phonons at a temperature"
    format: ClassVar[int] = 2
    figures: ClassVar[Mapping[str, str]] = {
        "phonons_at_temperature.png": "mlphonon.report.temperature:plot_at_temperature"
    }

    phonons: Phonons
    harmonic: Phonons
    history: History | None = None
    curvature: Phonons | None = None

    @property
    def renormalisation(self) -> Renormalisation:
        """How the phonons were made, and how far off they are."""
        found = self.phonons.record.renormalisation
        if found is None:
            raise ValueError("these are no phonons of a temperature")
        return found

    def summary(self) -> dict[str, Any]:
        """Return what one wants to know at a glance, as plain types; units in the names."""
        summary: dict[str, Any] = {
            "name": self.phonons.record.name,
            "formula": self.phonons.record.formula,
            "renormalisation": self.renormalisation.model_dump(),
            "max_frequency_THz": self.phonons.max_frequency,
            "harmonic_max_frequency_THz": self.harmonic.max_frequency,
            "lowest_frequency_THz": self.phonons.stability.lowest_frequency_THz,
            "harmonic_lowest_frequency_THz": self.harmonic.stability.lowest_frequency_THz,
            "volume_A3": float(self.phonons.atoms.get_volume()),
            "harmonic_volume_A3": float(self.harmonic.atoms.get_volume()),
            "trust": self.phonons.trust.summary(),
        }
        if self.history is not None:
            shift, q, _ = self.history.commensurate.largest_shift()
            summary["largest_shift_THz"] = shift
            summary["largest_shift_at"] = list(self.history.commensurate.wave_vectors[q])
        if self.curvature is not None:
            summary["curvature_lowest_frequency_THz"] = (
                self.curvature.stability.lowest_frequency_THz
            )
        return summary

    def describe(self) -> list[str]:
        """Return what is printed."""
        record, how = self.phonons.record, self.renormalisation
        last = "" if how.pressure_GPa is None else " in the last cell"
        worth = "" if how.n_effective is None else f", worth {how.n_effective:.0f}{last}"
        lines = [
            f"{record.name}: {record.formula}, {record.spacegroup}, at {how.temperature_K:g} K"
            f" ({how.method}, {how.statistics} atoms), potential {record.potential['name']}",
            f"  {how.n_snapshots} displaced supercells of {how.n_atoms} atoms{worth};"
            f" frequencies {PLUS_MINUS} {how.mean_frequency_error_THz:.2g} THz, at most"
            f" {PLUS_MINUS} {how.frequency_error_THz:.2g}",
            f"  highest mode {self.phonons.max_frequency:.2f} THz (harmonic"
            f" {self.harmonic.max_frequency:.2f}), lowest {_lowest(self.phonons)}"
            f" ({_lowest(self.harmonic)})",
        ]
        if not how.converged:
            lines.append("  NOT CONVERGED: the last change is larger than the errors")
        return [*lines, *self._details(), *self._verdict()]

    def _details(self) -> list[str]:
        """Lines that not every result has."""
        how, lines = self.renormalisation, []
        if self.history is not None:
            shift, q, band = self.history.commensurate.largest_shift()
            known = self.history.commensurate
            where = ", ".join(f"{x:.3g}" for x in known.wave_vectors[q])
            lines.append(
                f"  most changed: {known.harmonic[q][band]:.2f} THz by {shift:+.2f}"
                f" {PLUS_MINUS} {known.errors[q][band]:.2g} at q = ({where})"
            )
        if how.free_energy_eV is not None:
            error = how.free_energy_error_eV
            text = "" if error is None else f" {PLUS_MINUS} {1000 * error:.2g} meV"
            lines.append(f"  free energy {how.free_energy_eV:.5f} eV{text} per primitive cell")
        if how.centroid_shift_A > 1e-4:
            lines.append(f"  mean places are up to {how.centroid_shift_A:.3f} A from the minimum")
        if how.pressure_GPa is not None:
            change = self.phonons.atoms.get_volume() / self.harmonic.atoms.get_volume() - 1
            lines.append(
                f"  cell at {how.pressure_GPa:g} GPa: volume {100 * change:+.2f} % from that of the"
                " minimum"
            )
        if self.curvature is not None:
            stable = self.curvature.stability
            lines.append(
                "  curvature of the free energy (without fourth order): "
                + ("no instability" if stable.stable_by_threshold else "UNSTABLE")
                + f", lowest {_lowest(self.curvature)} THz"
            )
        return lines

    def _verdict(self) -> list[str]:
        """Of the harmonic phonons too: what is wrong with those is wrong with these."""
        own, first = self.phonons.trust, self.harmonic.trust
        text = {check.name for check in own.fired}
        fired = [*own.fired, *(check for check in first.fired if check.name not in text)]
        return [
            *(f"  ! {check.describe()}" for check in fired if check.name != "imaginary modes"),
            f"  harmonic phonons: {first.describe()}",
            f"  at {self.renormalisation.temperature_K:g} K: {own.describe()}",
        ]

    def table(self) -> dict[str, np.ndarray]:
        """Return frequencies along the band path, THz, beside the harmonic ones."""
        ours, first = self.phonons.bands(), self.harmonic.bands()
        distances = np.concatenate(ours.distances)
        columns = {"distance_per_A": distances}
        for name, bands in (("", ours), ("harmonic_", first)):
            for band, values in enumerate(np.concatenate(bands.frequencies).T, start=1):
                columns[f"{name}band_{band}_THz"] = values
        return columns

    @classmethod
    def required_files(cls) -> tuple[str, ...]:
        """Name the summaries of the phonons at the temperature and of the harmonic ones."""
        return (Phonons.summary_file(), f"{HARMONIC}/{Phonons.summary_file()}")

    def write_files(self, folder: Path) -> tuple[str, ...]:
        """Write the phonons at the temperature, the harmonic ones, and how they converged.

        `Phonons.load` reads the phonons at the temperature from the same folder, too.
        """
        self.phonons.write(folder)
        names = [self.phonons.summary_file()]
        for name, member in ((HARMONIC, self.harmonic), (CURVATURE, self.curvature)):
            if member is not None:
                (folder / name).mkdir()
                member.write(folder / name, figures=False)
                names.append(f"{name}/{member.summary_file()}")
        if self.history is not None:
            (folder / HISTORY).write_text(self.history.model_dump_json(indent=1) + "\n")
            names.append(HISTORY)
        return tuple(names)

    @classmethod
    def read_files(cls, folder: Path, summary: Mapping[str, Any]) -> PhononsAtTemperature:
        """Read back what `write_files` wrote."""
        names = summary["files_sha256"]
        history = None
        if HISTORY in names:
            history = History.model_validate_json((folder / HISTORY).read_text())
        has_curvature = any(name.startswith(f"{CURVATURE}/") for name in names)
        return cls(
            Phonons.load(folder),
            Phonons.load(folder / HARMONIC),
            history,
            Phonons.load(folder / CURVATURE) if has_curvature else None,
        )


def _lowest(phonons: Phonons) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(phonons.stability.lowest_frequency_THz, 2) + 0.0:.2f}"
