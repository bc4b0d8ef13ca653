"""Phonons at a temperature beside the harmonic ones: what is printed, drawn and written of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.anharmonic.sscha.history import History
from mlphonon.errors import ResultError
from mlphonon.phonons.phonons import Phonons
from mlphonon.phonons.renormalisation import Renormalisation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT = 1
"""Version of the layout of temperature.json."""

SUMMARY = "temperature.json"
HISTORY = "convergence.json"
HARMONIC, CURVATURE = "harmonic", "curvature"
FIGURE = "temperature.png"

PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


@dataclass(frozen=True)
class PhononsAtTemperature:
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
            "format": FORMAT,
            "name": self.phonons.record.name,
            "formula": self.phonons.record.formula,
            "renormalisation": self.renormalisation.model_dump(),
            "max_frequency_THz": _highest(self.phonons),
            "harmonic_max_frequency_THz": _highest(self.harmonic),
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
            f"  highest mode {_highest(self.phonons):.2f} THz (harmonic"
            f" {_highest(self.harmonic):.2f}), lowest {_lowest(self.phonons)}"
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
            said = "" if error is None else f" {PLUS_MINUS} {1000 * error:.2g} meV"
            lines.append(f"  free energy {how.free_energy_eV:.5f} eV{said} per primitive cell")
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
        said = {check.name for check in own.fired}
        fired = [*own.fired, *(check for check in first.fired if check.name not in said)]
        return [
            *(f"  ! {check.describe()}" for check in fired if check.name != "imaginary modes"),
            f"  harmonic phonons: {first.describe()}",
            f"  at {self.renormalisation.temperature_K:g} K: {own.describe()}",
        ]

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw both dispersions, with errors, and how they converged.

        Parameters
        ----------
        path : path, optional
            Where to write it; the suffix decides the format.
        """
        from mlphonon.report.figures import save_figure
        from mlphonon.report.temperature import plot_at_temperature

        figure = plot_at_temperature(self)
        if path is not None:
            save_figure(figure, Path(path))
        return figure

    def save(self, folder: str | Path) -> Path:
        """Write all files into `folder`; it appears whole or not at all.

        `Phonons.load` reads the phonons at the temperature from it, too.

        Raises
        ------
        ResultError
            If the folder cannot be written.
        """
        from mlphonon.io.atomic_files import write_folder
        from mlphonon.phonons import files as bundle

        def write(part: Path) -> None:
            bundle.write_files(self.phonons, part)
            (part / SUMMARY).write_text(json.dumps(self.summary(), indent=1) + "\n")
            members = {HARMONIC: self.harmonic, CURVATURE: self.curvature}
            for name, member in members.items():
                if member is not None:
                    (part / name).mkdir()
                    bundle.write_data(member, part / name)
            if self.history is not None:
                (part / HISTORY).write_text(self.history.model_dump_json(indent=1) + "\n")
            self.plot(part / FIGURE)

        return write_folder(Path(folder), SUMMARY, write)

    @classmethod
    def load(cls, folder: str | Path) -> PhononsAtTemperature:
        """Read back what `save` wrote.

        Raises
        ------
        ResultError
            If the folder does not hold a whole result.
        """
        folder = Path(folder)
        try:
            found = json.loads((folder / SUMMARY).read_text())["format"]
            if found != FORMAT:
                raise ValueError(f"{SUMMARY} has format {found}, not {FORMAT}")
            file = folder / HISTORY
            history = History.model_validate_json(file.read_text()) if file.exists() else None
        except (OSError, ValueError, KeyError) as error:
            raise ResultError(
                f"{folder} does not hold phonons at a temperature",
                str(error).splitlines()[0],
                "give a folder that 'mlphonon anharmonic' or PhononsAtTemperature.save wrote",
            ) from error
        curvature = folder / CURVATURE
        return cls(
            Phonons.load(folder),
            Phonons.load(folder / HARMONIC),
            history,
            Phonons.load(curvature) if curvature.exists() else None,
        )


def _lowest(phonons: Phonons) -> str:
    # Adding zero turns -0.0 into 0.0.
    return f"{round(phonons.stability.lowest_frequency_THz, 2) + 0.0:.2f}"


def _highest(phonons: Phonons) -> float:
    return float(np.max([piece.max() for piece in phonons.bands().frequencies]))
