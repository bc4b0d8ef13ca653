"""To the minimum of the potential, without leaving the space group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter

from mlphonon.crystal.crystal import Crystal, symmetry_count
from mlphonon.errors import RelaxationError
from mlphonon.potentials.calculator import as_calculator
from mlphonon.settings import PhononSettings

if TYPE_CHECKING:
    from mlphonon.potentials.potential import Potential

StepCallback = Callable[[int, float], None]
"""Called after each step with its number and the largest force or scaled stress left, eV/A."""


@dataclass(frozen=True)
class Relaxation:
    """Where a relaxation ended.

    Attributes
    ----------
    atoms : Atoms
        The primitive cell at the end.
    converged : bool
        Whether forces and stress are below the limits.
    steps : int
        Optimiser steps taken; 0 where nothing was relaxed.
    fmax : float
        Largest force left, eV/A.
    stress_max : float
        Largest component of the stress left, GPa.
    energy : float
        Energy per atom, eV.
    volume_change : float
        Relative change of the volume.
    """

    atoms: Atoms
    converged: bool
    steps: int
    fmax: float
    stress_max: float
    energy: float
    volume_change: float


def relax(
    crystal: Crystal,
    potential: Potential,
    settings: PhononSettings,
    progress: StepCallback | None = None,
) -> Relaxation:
    """Relax cell and positions of a crystal, its space group kept (ASE's ``FixSymmetry``).

    Converged means: no force above ``settings.fmax`` and no stress component times the
    volume per atom above the same number in eV, so that strain and displacement of an atom
    count alike; of the stress only what ``settings.relax_cell`` lets go. BFGS in the space of
    positions and logarithmic strain does most of it; what it leaves is taken up by a second run
    about the new cell, since the strain of a large change of volume is no longer a good coordinate.

    Raises
    ------
    RelaxationError
        If it did not converge within ``settings.relax_steps`` (unless
        ``settings.allow_unconverged``), or the space group changed.
    """
    start = crystal.atoms
    if not settings.relax:
        return _measure(start, start, potential, 0, True)
    current, steps, converged = start.copy(), 0, False
    while not converged and steps < settings.relax_steps:
        stage = _Stage(current, potential, settings)
        # The cell's coordinates are renewed after at most this many steps.
        taken = stage.run(min(100, settings.relax_steps - steps), steps, progress)
        current, converged = stage.plain_atoms(), stage.converged()
        steps += taken
        if taken == 0:
            break
    result = _measure(start, current, potential, steps, converged)
    if not converged and not settings.allow_unconverged:
        raise RelaxationError(
            f"the relaxation of {crystal.name} did not converge in {steps} steps",
            f"largest force {result.fmax:.2e} eV/A, stress {result.stress_max:.2e} GPa;"
            f" the limit is {settings.fmax:g} eV/A",
            "raise relax_steps, or go on regardless with allow_unconverged or --no-relax",
        )
    before = symmetry_count(start, settings.symprec)
    after = symmetry_count(current, settings.symprec)
    if after < before:
        raise RelaxationError(
            f"the relaxation of {crystal.name} lowered its symmetry",
            f"{before} operations of {crystal.spacegroup} before, {after} after",
            "raise symprec a little, or use --no-relax",
        )
    return result


class _Stage:
    """One run of BFGS with its own reference cell."""

    def __init__(self, atoms: Atoms, potential: Potential, settings: PhononSettings) -> None:
        from ase.constraints import FixSymmetry

        self._atoms = atoms.copy()
        self._atoms.calc = as_calculator(potential)
        self._settings = settings
        self._atoms.set_constraint(FixSymmetry(self._atoms, symprec=settings.symprec))
        self._filter: Any = self._atoms
        if settings.relax_cell != "none":
            volume_kept = settings.relax_cell == "shape"
            self._filter = _CellFilter(self._atoms, constant_volume=volume_kept)

    def run(self, limit: int, before: int, progress: StepCallback | None) -> int:
        """Take up to `limit` steps; returns how many were taken."""
        from ase.optimize import BFGS

        optimizer = BFGS(self._filter, logfile=None, maxstep=0.1)
        # The optimiser's own measure differs from ours, so it is told never to be content.
        for _ in optimizer.irun(fmax=0.0, steps=limit):
            left = self._largest_left()
            if progress is not None:
                progress(before + optimizer.nsteps, left)
            if left < self._settings.fmax:
                break
        return int(optimizer.nsteps)

    def converged(self) -> bool:
        """Tell whether forces and stress are below the limits."""
        return self._largest_left() < self._settings.fmax

    def _largest_left(self) -> float:
        forces = np.linalg.norm(self._atoms.get_forces(), axis=1).max()
        if self._settings.relax_cell == "none":
            return float(forces)
        stress = self._atoms.get_stress(voigt=False)
        if self._settings.relax_cell == "shape":
            stress = stress - np.trace(stress) / 3 * np.eye(3)
        volume_per_atom = self._atoms.get_volume() / len(self._atoms)
        return float(max(forces, np.abs(stress).max() * volume_per_atom))

    def plain_atoms(self) -> Atoms:
        """Return the atoms as they are now, without constraint and calculator."""
        copy = self._atoms.copy()
        copy.set_constraint()
        return copy


class _CellFilter(FrechetCellFilter):
    """Positions and logarithmic strain, whose forces are worked out once a step.

    ASE's optimisers ask three times, and the logarithm of the strain costs more than the forces of
    a small potential.
    """

    _forces: np.ndarray | None = None

    def set_positions(self, new: np.ndarray, **options: Any) -> None:
        self._forces = None
        super().set_positions(new, **options)

    def get_forces(self, **options: Any) -> np.ndarray:
        if options:
            return np.asarray(super().get_forces(**options))
        if self._forces is None:
            self._forces = np.asarray(super().get_forces())
        return self._forces.copy()


def _measure(
    start: Atoms, end: Atoms, potential: Potential, steps: int, converged: bool
) -> Relaxation:
    """Evaluate the end point and say what is left."""
    evaluation = potential.evaluate([end])[0]
    return Relaxation(
        atoms=end,
        converged=converged,
        steps=steps,
        fmax=float(np.linalg.norm(evaluation.forces, axis=1).max()),
        stress_max=float(np.abs(evaluation.stress).max() / units.GPa),
        energy=evaluation.energy / len(end),
        volume_change=float(end.get_volume() / start.get_volume() - 1),
    )
