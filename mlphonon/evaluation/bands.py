"""Dispersion of a potential, and what DFT says along the same path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlphonon.crystal.crystal import point_group
from mlphonon.evaluation.matching import PhononMatch
from mlphonon.phonons.results import BandStructure
from mlphonon.system.threads import one_blas_thread

ON_PATH = 1e-4
"""1/A; a mesh point this near to the path is on it."""


@dataclass(frozen=True)
class ReferencePoints:
    """Frequencies of DFT along a path.

    Attributes
    ----------
    distances : ndarray, shape (n,)
        Where on the path, 1/A, ascending; as in the `BandStructure` of the potential.
    frequencies : ndarray, shape (n, n_bands)
        THz.
    """

    distances: np.ndarray
    frequencies: np.ndarray


def reference_points(matched: PhononMatch, bands: BandStructure) -> ReferencePoints | None:
    """Return DFT's frequencies along the path of a potential's dispersion.

    At every point of it, if there are force constants; otherwise where DFT's mesh meets it; None
    if DFT gave neither.

    Parameters
    ----------
    matched : PhononMatch
        The potential's phonons and DFT's.
    bands : BandStructure
        The potential's dispersion.
    """
    reference = matched.reference
    if reference.force_constants is not None:
        qpoints = matched.to_dft(np.concatenate(bands.segments))
        with one_blas_thread():
            found = reference.force_constants.run_qpoints(qpoints)
        return ReferencePoints(np.concatenate(bands.distances), np.asarray(found.frequencies))
    if reference.qpoints is None or reference.spectrum is None:
        return None
    return _mesh_on_path(matched, bands)


def _mesh_on_path(matched: PhononMatch, bands: BandStructure) -> ReferencePoints:
    """Where the stars of DFT's irreducible q-points meet the path."""
    crystal, spectrum = matched.crystal, matched.reference.spectrum
    assert spectrum is not None
    reciprocal = np.linalg.inv(crystal.atoms.cell.array).T
    stars, index = _stars(matched)
    shifts = np.array(np.meshgrid(*3 * [[-1, 0, 1]])).reshape(3, -1).T
    points = (stars[None] + shifts[:, None]).reshape(-1, 3) @ reciprocal
    rows = np.tile(index, len(shifts))
    places, found = [], []
    for segment, distance in zip(bands.segments, bands.distances, strict=True):
        start, along = segment[0] @ reciprocal, (segment[-1] - segment[0]) @ reciprocal
        length = np.linalg.norm(along)
        part = (points - start) @ along / length**2
        off = np.linalg.norm(points - start - part[:, None] * along, axis=1)
        on = (off < ON_PATH) & (part > -1e-9) & (part < 1 + 1e-9)
        # A point at the end of the zone is met with several reciprocal lattice vectors.
        at, first = np.unique(np.round(part[on], 6), return_index=True)
        places.append(distance[0] + at * (distance[-1] - distance[0]))
        found.append(rows[on][first])
    return ReferencePoints(np.concatenate(places), spectrum.frequencies[np.concatenate(found)])


def _stars(matched: PhononMatch) -> tuple[np.ndarray, np.ndarray]:
    """All points of the mesh in our reciprocal vectors, and the irreducible point of each."""
    given = matched.reference.qpoints
    assert given is not None
    qpoints = matched.to_ours(given)
    rotations = point_group(matched.crystal.atoms, matched.phonons.record.settings.symprec)
    # q-points turn with the transposed matrices; -q has the frequencies of q.
    turned = [qpoints @ rotation for rotation in rotations]
    every = np.concatenate([*turned, *(-one for one in turned)])
    index = np.tile(np.arange(len(qpoints)), 2 * len(rotations))
    every -= np.floor(every + 1e-9)
    _, first = np.unique(np.round(every, 6), axis=0, return_index=True)
    return every[first], index[first]
