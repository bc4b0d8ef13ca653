"""The gap between acoustic and optical branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons


def acoustic_gap(phonons: Phonons) -> float | None:
    """Width of the gap above the acoustic branches, over the mesh of the settings.

    Branches are told apart by their order at each q-point: the three lowest are counted as
    acoustic, which is what limits the decay of optical modes into pairs of acoustic ones.

    Returns
    -------
    float or None
        THz; 0 where the branches overlap, None for one atom in the cell, which has no other
        branches.
    """
    _, frequencies, _ = phonons.mesh
    if frequencies.shape[1] == 3:
        return None
    return max(0.0, float(frequencies[:, 3].min() - frequencies[:, 2].max()))
