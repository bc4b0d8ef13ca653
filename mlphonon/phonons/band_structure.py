"""Force constants and a path -> frequencies along it, by phonopy."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.phonons.results import BandStructure, frozen
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.band_path import BandPath


def compute_bands(phonopy: Phonopy, path: BandPath, points: int) -> BandStructure:
    """Frequencies along a path.

    Parameters
    ----------
    phonopy : Phonopy
        Holds force constants.
    path : BandPath
        In reciprocal vectors of phonopy's primitive cell.
    points : int
        q-points on the longest piece; shorter pieces get their share.
    """
    from phonopy.phonon.band_structure import get_band_qpoints_and_path_connections

    qpoints, connections = get_band_qpoints_and_path_connections(
        path.corners(), npoints=points, rec_lattice=np.linalg.inv(phonopy.primitive.cell)
    )
    with one_blas_thread():
        found = phonopy.run_band_structure(
            qpoints, path_connections=connections, labels=path.labels()
        )
    ends = [(first[0], second[0]) for chain in path.chains for first, second in pairwise(chain)]
    return BandStructure(
        segments=frozen(found.qpoints),
        distances=frozen(found.distances),
        frequencies=frozen(found.frequencies),
        labels=tuple(ends),
    )
