"""Quicker arithmetic for a MACE, where it is there, checked against the plain one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from mlphonon.errors import PotentialError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from ase import Atoms

TOLERANCE = {"float32": 1e-4, "float64": 1e-8}
"""eV/A; kernels that change a force by more than this are refused. Accelerated kernels have
changed results before (mace issue 1298)."""


def accelerate(model: torch.nn.Module, device: str) -> tuple[torch.nn.Module, str]:
    """Return the model with the best kernels for `device`, and their name.

    On a GPU with cuEquivariance installed, a new model with its kernels; elsewhere the same
    model, with our own sum over neighbours (`mlphonon.potentials.mace.fused`) in the layers it
    fits.
    """
    import torch

    from mlphonon.potentials.mace.fused import fuse_convolutions, is_fused

    if device.startswith("cuda") and find_spec("cuequivariance_torch") is not None:
        from mace.cli.convert_e3nn_cueq import run as convert

        previous = torch.get_default_dtype()
        try:
            # The converter sets the default dtype of the whole program.
            return convert(model, device=device).to(device).eval(), "cuequivariance"
        finally:
            torch.set_default_dtype(previous)
    fuse_convolutions(model)
    return model, "matmul" if is_fused(model) else "e3nn"


def probe_structure(atomic_number: int) -> Atoms:
    """Return a small distorted crystal on which kernels are compared."""
    from ase.build import bulk

    atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
    atoms.numbers[:] = atomic_number
    atoms.rattle(0.1, seed=1)
    return atoms


def require_same_forces(plain: np.ndarray, quick: np.ndarray, name: str, dtype: str) -> None:
    """Raise `PotentialError` if kernels changed forces, both of shape (n_atoms, 3), eV/A."""
    difference = float(abs(plain - quick).max())
    # Not "> tolerance": that would let NaN pass.
    if not difference <= TOLERANCE[dtype]:
        raise PotentialError(
            f"the {name} kernels change forces by {difference:.1e} eV/A",
            f"{TOLERANCE[dtype]:g} eV/A is allowed in {dtype}",
            f"update or uninstall {name}",
        )
