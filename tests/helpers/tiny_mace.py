"""The shape of a MACE of Na and Cl that is built and loaded in a moment."""

from __future__ import annotations

from mlphonon.potentials.mace.architecture import MaceArchitecture

TINY = MaceArchitecture(
    atomic_numbers=(11, 17),
    atomic_energies=(-1.0, -2.0),
    avg_num_neighbors=10.0,
    scale=1.0,
    r_max=4.0,
    num_bessel=4,
    max_ell=1,
    hidden_irreps="4x0e",
    correlation=2,
    radial_mlp=(8,),
    readout_irreps="4x0e",
)
