"""Heat conductivity beside that of DFT, as the kappa leaderboard measures it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WORST = 2.0
"""Either error where there is no number of ours: a crystal that failed, left its space group or
has imaginary modes. The leaderboard counts so."""


@dataclass(frozen=True)
class Conductivity:
    """Heat conductivity at one temperature, mode by mode.

    Attributes
    ----------
    total : float
        Mean of the diagonal of the tensor, W/m/K.
    modes : ndarray, shape (n_qpoints, n_bands)
        Contributions, W/m/K, each of the whole star of its q-point; over the number of q-points
        in the mesh they sum to `total`.
    n_mesh : int
        Number of q-points of the full mesh.
    """

    total: float
    modes: np.ndarray
    n_mesh: int


def relative_error(ours: Conductivity, dft: Conductivity) -> float:
    """Symmetric relative error (SRE) of the total: 0 if equal, 2 at worst.

    Pota et al., arXiv:2408.00755, eq. 2.
    """
    return float(2 * abs(ours.total - dft.total) / (ours.total + dft.total))


def relative_mode_error(ours: Conductivity, dft: Conductivity) -> float:
    """Symmetric relative mean error (SRME): modes that are wrong in opposite ways do not cancel.

    Pota et al., arXiv:2408.00755, eq. 3. The leaderboard counts 2 for a crystal that fails, has
    imaginary modes, or leaves its space group.

    Raises
    ------
    ValueError
        If they are not on the same mesh.
    """
    if ours.modes.shape != dft.modes.shape or ours.n_mesh != dft.n_mesh:
        raise ValueError(
            f"conductivities of shapes {ours.modes.shape} and {dft.modes.shape} are not on the"
            " same mesh"
        )
    difference = np.abs(ours.modes - dft.modes).sum() / dft.n_mesh
    return float(2 * difference / (ours.total + dft.total))
