"""The heat conductivity of a potential beside that of DFT, as the kappa leaderboard measures it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.conductivity.settings import ThermalConductivitySettings
from mlphonon.anharmonic.conductivity.transport import IMAGINARY, conduct
from mlphonon.anharmonic.third_order.compute import compute_third_order
from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
from mlphonon.evaluation.metrics.conductivity import (
    WORST,
    Conductivity,
    relative_error,
    relative_mode_error,
)
from mlphonon.temperatures import TemperatureGrid

if TYPE_CHECKING:
    from phono3py import Phono3py

    from mlphonon.anharmonic.conductivity.result import ThermalConductivity
    from mlphonon.evaluation.matching import PhononMatch
    from mlphonon.evaluation.protocol import Protocol
    from mlphonon.potentials.potential import Potential


def heat_errors(matched: PhononMatch, potential: Potential, protocol: Protocol) -> dict[str, float]:
    """Return SRE, SRME and the ratio of conductivities; nothing where DFT gives none.

    The published protocol: third order by displaced pairs in DFT's supercell, Wigner equation in
    relaxation time on DFT's mesh. A crystal with imaginary modes counts `WORST`.

    Parameters
    ----------
    matched : PhononMatch
        A potential's phonons and those of DFT.
    potential : Potential
        The one they were made with.
    protocol : Protocol
        Length of displacements and temperature.
    """
    reference = matched.reference
    dft, q_mesh, matrix = (
        reference.conductivity,
        reference.q_mesh,
        reference.third_order_supercell,
    )
    if dft is None or q_mesh is None or matrix is None:
        return {}
    if matched.spectrum.frequencies.min() < IMAGINARY:
        return {"kappa_sre": WORST, "kappa_srme": WORST}
    settings = ThirdOrderSettings(
        method="displacements",
        displacement=protocol.displacement,
        supercell=tuple(int(x) for x in np.asarray(matrix).ravel()),
        max_atoms=10_000,
    )
    third = compute_third_order(matched.phonons, potential, settings, crystal=matched.crystal)
    how = ThermalConductivitySettings(
        temperatures=TemperatureGrid.of(protocol.temperature), transport="wigner", mesh=q_mesh
    )
    ours = _at_dfts_points(conduct(third.phono3py, how), third.phono3py, matched)
    return {
        "kappa_sre": relative_error(ours, dft),
        "kappa_srme": relative_mode_error(ours, dft),
        "kappa_ratio": ours.total / dft.total,
    }


def _at_dfts_points(
    found: ThermalConductivity, phono3py: Phono3py, matched: PhononMatch
) -> Conductivity:
    """Bring our irreducible q-points, each with its star, into the order of DFT's.

    Raises
    ------
    ValueError
        If the two meshes have other stars.
    """
    from phonopy.phonon.grid import get_ir_grid_points

    reference = matched.reference
    assert reference.qpoints is not None
    assert reference.spectrum is not None
    assert phono3py.grid is not None
    grid = phono3py.grid
    irreducible, _, mapping = get_ir_grid_points(grid)
    place = {int(point): i for i, point in enumerate(irreducible)}
    numbers = np.array(found.record.mesh)
    addresses = np.rint(matched.to_ours(reference.qpoints) * numbers).astype(int)
    # Grid points are counted with the first axis running fastest.
    wrapped = addresses % numbers
    index = wrapped[:, 0] + numbers[0] * (wrapped[:, 1] + numbers[1] * wrapped[:, 2])
    order = np.array([place[int(mapping[i])] for i in index])
    if (found.weights[order] != reference.spectrum.weights).any():
        raise ValueError("our mesh and that of DFT have other stars")
    return Conductivity(
        total=float(found.average[0]),
        modes=found.mode_kappa[0][order],
        n_mesh=int(found.weights.sum()),
    )
