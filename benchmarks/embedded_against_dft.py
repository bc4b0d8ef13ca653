"""The embedded potential beside DFT: dispersion of crystals it was not trained on.

    python benchmarks/embedded_against_dft.py --data DIR [--figure FILE] [--output FILE]

DIR holds one folder for each crystal with phonopy_disp.yaml and FORCE_SETS or vasprun.xml,
as in phonopy's own examples (https://github.com/phonopy/phonopy/tree/develop/example).
The non-analytical term is left out on both sides; both use the supercell of the DFT.
"""

from __future__ import annotations

import argparse
import datetime
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms

from mlphonon import BandStructure, Phonons, compute_phonons, load_potential
from mlphonon.force_constants.cells import to_ase
from mlphonon.phonons.band_path import find_band_path
from mlphonon.phonons.band_structure import compute_bands
from mlphonon.potentials.potential import Potential
from mlphonon.readers.folder import load_calculation
from mlphonon.report.figures import plot_bands_dos, save_figure

CRYSTALS = ("NaCl", "Si", "MgO", "Al2O3")
SYMPREC = 1e-5


@dataclass(frozen=True)
class Comparison:
    """Phonons of one crystal from DFT and from the potential."""

    name: str
    reference: BandStructure
    reference_atoms: Atoms
    phonons: Phonons

    @property
    def dft(self) -> np.ndarray:
        """Frequencies of DFT along the path, THz."""
        return np.concatenate(self.reference.frequencies)

    @property
    def ours(self) -> np.ndarray:
        """Frequencies of the potential at the same points, THz."""
        pieces = zip(self.phonons.bands().frequencies, self.reference.frequencies, strict=True)
        return np.concatenate([_resample(mine, theirs) for mine, theirs in pieces])

    @property
    def error(self) -> float:
        """Mean absolute error along the path, THz."""
        return float(np.abs(self.ours - self.dft).mean())

    @property
    def slope(self) -> float:
        """Of our frequencies against those of DFT; below one is soft."""
        return float((self.ours * self.dft).sum() / (self.dft**2).sum())

    @property
    def volume_change(self) -> float:
        """Relaxed volume relative to that of DFT."""
        return self.phonons.atoms.get_volume() / self.reference_atoms.get_volume() - 1

    def row(self) -> str:
        """One line of the table."""
        return (
            f"| {self.name} | {self.error:.2f} | {self.ours.max():.2f} |"
            f" {self.dft.max():.2f} | {self.slope:.3f} | {100 * self.volume_change:+.1f} % |"
            f" {self.phonons.stability.lowest_frequency_THz:.2f} |"
        )


def _resample(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Our frequencies of one piece at as many evenly spaced points as the reference has."""
    x, wanted = np.linspace(0, 1, len(ours)), np.linspace(0, 1, len(theirs))
    return np.stack([np.interp(wanted, x, band) for band in ours.T], axis=1)


def compare(name: str, folder: Path, potential: Potential) -> Comparison:
    """Compute phonons at the potential's own minimum, in the supercell of the DFT."""
    dft = load_calculation(folder)
    path = find_band_path(to_ase(dft.primitive), SYMPREC)
    return Comparison(
        name=name,
        reference=compute_bands(dft, path, 101),
        reference_atoms=to_ase(dft.primitive),
        phonons=compute_phonons(
            to_ase(dft.unitcell), potential, supercell=dft.supercell_matrix, symprec=SYMPREC
        ),
    )


def main() -> None:
    """Run the comparison and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--potential", default="embedded")
    parser.add_argument("--figures", type=Path, help="folder for one figure per crystal")
    parser.add_argument("--output", type=Path, help="markdown file for the table")
    options = parser.parse_args()
    potential = load_potential(options.potential)
    lines = [
        "| crystal | MAE along the path (THz) | highest mode (THz) | DFT | slope | volume |"
        " lowest mode (THz) |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in CRYSTALS:
        found = compare(name, options.data / name, potential)
        lines.append(found.row())
        if options.figures:
            options.figures.mkdir(parents=True, exist_ok=True)
            figure = plot_bands_dos(found.phonons.bands(), title=name, reference=found.reference)
            save_figure(figure, options.figures / f"{name}_against_dft.png")
    today = datetime.date.today().isoformat()
    table = "\n".join(lines)
    print(table)
    if options.output:
        options.output.write_text(
            f"# The embedded potential beside DFT\n\n{__doc__}\n{table}\n\n"
            f"{today}, {platform.machine()}, Python {platform.python_version()},"
            f" potential {potential.info.sha256}\n"
        )


if __name__ == "__main__":
    main()
