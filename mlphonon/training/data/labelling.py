"""Structures -> labels by a potential or a DFT code, second derivatives included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.force_constants.displacements import stack
from mlphonon.training.data.frame import UNKNOWN, Origin, TrainingData
from mlphonon.training.data.reading import read_frame

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import Evaluation, Potential, ProgressCallback

FINE_STEP = 1e-4
"""Displacement of each coordinate (root mean square, A) by which forces are differentiated."""

COARSE_STEP = 0.01
"""For potentials whose forces are rounded."""


def label(
    structures: Sequence[Atoms],
    teacher: Potential,
    directions: int = 0,
    seed: int = 1,
    progress: ProgressCallback | None = None,
) -> list[Atoms]:
    """Return copies with energies, forces, stresses, and second derivatives along directions.

    A direction moves all atoms at random at once; the change of forces along it holds a little of
    every second derivative. It is taken by differences, which any teacher can do: one-sided where
    forces have sixteen digits, else central with a longer step.

    Parameters
    ----------
    structures : sequence of Atoms
        With ``material_id`` and ``config`` in `info`.
    teacher : Potential
        Whose energies, forces and stresses become labels.
    directions : int
        Second derivatives of each structure.
    seed : int
        Of the directions.
    progress : callable, optional
        Called with the number of evaluations that were just done.

    Returns
    -------
    list of Atoms
        ``REF_energy`` (eV), ``REF_forces`` (eV/A), ``REF_stress`` (eV/A^3, positive under tension),
        and ``REF_directions`` and ``REF_responses``, each (n_atoms, 3 n_directions): unit root mean
        square, and second derivatives times direction, eV/A^2.
    """
    info = teacher.info
    one_sided = info.dtype == "float64"
    steps = (FINE_STEP,) if one_sided else (COARSE_STEP, -COARSE_STEP)
    ways = [_directions(atoms, directions, seed) for atoms in structures]
    trials = []
    for atoms, chosen in zip(structures, ways, strict=True):
        trials.append(atoms)
        trials += stack(atoms, [step * way for way in chosen for step in steps])
    evaluations = iter(teacher.evaluate(trials, progress))
    labelled = []
    for atoms, chosen in zip(structures, ways, strict=True):
        rest = next(evaluations)
        responses = []
        for _ in chosen:
            ahead = next(evaluations).forces
            behind = rest.forces if one_sided else next(evaluations).forces
            responses.append((behind - ahead) / (len(steps) * steps[0]))
        labelled.append(_with_labels(atoms, rest, chosen, responses))
        labelled[-1].info["code"] = info.name
        if info.functional:
            labelled[-1].info["functional"] = info.functional
    return labelled


def labelled_data(
    structures: Sequence[Atoms], teacher: Potential, directions: int = 0, seed: int = 1
) -> TrainingData:
    """Return structures as training data, labelled by a teacher; see `label`."""
    origin = Origin("labelled in memory", UNKNOWN, teacher.info.name)
    labelled = label(structures, teacher, directions, seed)
    return TrainingData(tuple(read_frame(atoms, origin) for atoms in labelled))


def _directions(atoms: Atoms, count: int, seed: int) -> list[np.ndarray]:
    digits = [seed, *np.rint(1e4 * np.abs(atoms.positions)).astype(int).ravel().tolist()[:9]]
    rng = np.random.default_rng([*digits, len(atoms)])
    ways = []
    # One atom alone can only be shifted with all its copies, which nothing resists.
    for _ in range(count if len(atoms) > 1 else 0):
        way = rng.normal(size=(len(atoms), 3))
        way -= way.mean(axis=0)
        ways.append(way / np.sqrt(np.square(way).mean()))
    return ways


def _with_labels(
    atoms: Atoms, rest: Evaluation, directions: list[np.ndarray], responses: list[np.ndarray]
) -> Atoms:
    labelled = atoms.copy()
    labelled.info["REF_energy"] = rest.energy
    # Of a calculator without stresses it is not a number.
    if np.isfinite(rest.stress).all():
        labelled.info["REF_stress"] = rest.stress
    labelled.arrays["REF_forces"] = rest.forces
    if directions:
        labelled.arrays["REF_directions"] = np.concatenate(directions, axis=1)
        labelled.arrays["REF_responses"] = np.concatenate(responses, axis=1)
    return labelled
