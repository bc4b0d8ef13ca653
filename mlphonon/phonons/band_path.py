"""The path through the Brillouin zone, right for the cell that is actually used."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from ase import Atoms


@dataclass(frozen=True)
class BandPath:
    """Straight pieces between high-symmetry points.

    Attributes
    ----------
    chains : tuple of tuple of (str, tuple of 3 floats)
        Points that are walked without a jump: label and reciprocal coordinates.
    """

    chains: tuple[tuple[tuple[str, tuple[float, float, float]], ...], ...]

    def corners(self) -> list[list[np.ndarray]]:
        """Corner points of each chain, as phonopy wants them."""
        return [[np.array(q) for _, q in chain] for chain in self.chains]

    def labels(self) -> list[str]:
        """Label of every corner, chain after chain."""
        return [label for chain in self.chains for label, _ in chain]

    def name_of(self, q: np.ndarray, tolerance: float = 1e-6) -> str | None:
        """Name of the corner that equals `q` up to a reciprocal lattice vector, or None."""
        for chain in self.chains:
            for label, corner in chain:
                difference = np.asarray(q) - np.array(corner)
                if np.abs(difference - np.rint(difference)).max() < tolerance:
                    return label
        return None


def find_band_path(atoms: Atoms, symprec: float) -> BandPath:
    """Find the HPKOT path (Hinuma et al., Comput. Mater. Sci. 128, 140 (2017)) of `atoms`.

    Seekpath gives it in reciprocal vectors of its own standardised primitive cell;
    ``get_path_orig_cell`` turns it into those of `atoms`, which matters in triclinic and
    sheared cells, where the two differ.
    """
    import seekpath

    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    with warnings.catch_warnings():
        # Raised where a lattice is on the border of two types; both paths are valid there.
        warnings.simplefilter("ignore", category=seekpath.hpkot.EdgeCaseWarning)
        found = seekpath.get_path_orig_cell(cell, with_time_reversal=True, symprec=symprec)
    coordinates = found["point_coords"]
    chains: list[list[tuple[str, tuple[float, float, float]]]] = []
    for start, end in found["path"]:
        if not chains or chains[-1][-1][0] != start:
            chains.append([_point(start, coordinates)])
        chains[-1].append(_point(end, coordinates))
    return BandPath(tuple(tuple(chain) for chain in chains))


def _point(
    label: str, coordinates: dict[str, list[float]]
) -> tuple[str, tuple[float, float, float]]:
    x, y, z = (float(c) for c in coordinates[label])
    return label, (x, y, z)
