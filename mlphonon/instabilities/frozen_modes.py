"""A mode frozen into the smallest crystal that its wave fits into, and the energy along it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.build import make_supercell

from mlphonon.instabilities.explanation import Well
from mlphonon.instabilities.modes import FINEST, SAME_POINT, ModeSet, denominator
from mlphonon.units import THZ_OF_STIFFNESS

if TYPE_CHECKING:
    from mlphonon.potentials.potential import Potential

SMALL = 0.01
"""Largest displacement, A, at which the curvature is measured."""

REACH, FARTHEST = 0.4, 1.6
"""Largest displacement, A, up to which energies are computed at first, and at the very most."""

WIDTH = 1.4
"""Of a well over the place of its minimum: the energy is back to zero at 1.41 of a quartic one."""

POINTS = 13
"""Energies from one end to the other, the crystal at rest in the middle."""

POWERS = (2, 3, 4, 6)
"""Of the amplitude in the fit of the energy."""

MEV = 1e3


@dataclass(frozen=True)
class FrozenModes:
    """The space of one set of modes in the cell that its wave fits into.

    Attributes
    ----------
    cell : Atoms
        The undisplaced crystal in that cell.
    basis : ndarray, shape (n, 3 n_atoms)
        Orthonormal displacements times root of mass; adapted to symmetry: as few atoms and
        directions in each as there can be.
    """

    cell: Atoms
    basis: np.ndarray

    @property
    def roots(self) -> np.ndarray:
        """Root of the mass of each coordinate, shape (3 n_atoms,)."""
        return np.sqrt(np.repeat(self.cell.get_masses(), 3))

    def directions(self) -> list[tuple[str, np.ndarray]]:
        """Return unit vectors of the space with names: one of the basis, or several together."""
        found = []
        for chosen in itertools.product((0, 1), repeat=min(len(self.basis), 3)):
            if not any(chosen):
                continue
            vector = np.array(chosen) @ self.basis[: len(chosen)]
            name = "".join(map(str, chosen)) if len(self.basis) > 1 else ""
            found.append((name, vector / np.linalg.norm(vector)))
        return sorted(found, key=lambda one: one[0].count("1"))

    def displaced(self, direction: np.ndarray, amplitude: float) -> Atoms:
        """Return the crystal displaced by an amplitude, A sqrt(amu), along a unit vector."""
        atoms = self.cell.copy()
        atoms.positions += amplitude * (direction / self.roots).reshape(-1, 3)
        return atoms

    def amplitude_of(self, direction: np.ndarray, displacement: float) -> float:
        """Return the amplitude at which the farthest atom has moved by so much, A."""
        farthest = np.linalg.norm((direction / self.roots).reshape(-1, 3), axis=1).max()
        return float(displacement / farthest)

    def frequency(self, potential: Potential) -> float:
        """Measure the frequency of the first direction, THz, by forces at small displacements."""
        direction = self.basis[0]
        q = self.amplitude_of(direction, SMALL)
        ends = potential.evaluate([self.displaced(direction, s * q) for s in (-1, 1)])
        pull = [float(end.forces.ravel() @ (direction / self.roots)) for end in ends]
        square = (pull[0] - pull[1]) / (2 * q)
        return float(np.sign(square) * math.sqrt(abs(square)) * THZ_OF_STIFFNESS)

    def well(self, potential: Potential, direction: np.ndarray) -> Well:
        """Compute the energy along a direction, from one wall of the well to the other.

        Looked for up to `FARTHEST`; then once more as far as the well is wide, where the fit is
        good.
        """
        reach = REACH
        well = self._well(potential, direction, reach)
        while abs(well.minimum) > 0.9 * max(well.amplitudes) and reach < FARTHEST:
            reach *= 2
            well = self._well(potential, direction, reach)
        if well.displacement_A < SMALL or reach >= FARTHEST:
            return well
        return self._well(potential, direction, WIDTH * well.displacement_A)

    def _well(self, potential: Potential, direction: np.ndarray, reach: float) -> Well:
        amplitudes = np.linspace(-1, 1, POINTS) * self.amplitude_of(direction, reach)
        found = potential.evaluate([self.displaced(direction, float(q)) for q in amplitudes])
        energies = MEV * np.array([one.energy for one in found])
        energies -= energies[POINTS // 2]
        powers = np.array(POWERS)
        scale = amplitudes.max()
        fit, *_ = np.linalg.lstsq((amplitudes[:, None] / scale) ** powers, energies, rcond=None)
        fine = np.linspace(-1, 1, 2001)
        curve = (fine[:, None] ** powers) @ fit
        lowest = int(curve.argmin())
        if abs(fine[lowest]) > 0 and np.isclose(curve[-1 - lowest], curve[lowest], rtol=1e-6):
            lowest = max(lowest, len(fine) - 1 - lowest)  # the same on both sides: the positive
        minimum = float(fine[lowest] * scale)
        return Well(
            amplitudes=tuple(map(float, amplitudes)),
            energies_meV=tuple(map(float, energies)),
            coefficients_meV={p: float(c / scale**p) for p, c in zip(POWERS, fit, strict=True)},
            minimum=minimum,
            depth_meV=float(-curve[lowest]),
            n_atoms=len(self.cell),
            displacement_A=abs(minimum) / self.amplitude_of(direction, 1.0),
        )


def freeze(primitive: Atoms, modes: ModeSet) -> FrozenModes:
    """Return a set of modes in the smallest cell that its wave fits into.

    Parameters
    ----------
    primitive : Atoms
        Primitive cell of the phonons.
    modes : ModeSet
        At a wave vector with small denominators.

    Raises
    ------
    ValueError
        If the wave fits into no cell of `FINEST` cells or fewer along an axis.
    """
    matrix = commensurate_matrix(modes.q, primitive.cell.array)
    cell = make_supercell(primitive, matrix)
    places = cell.get_scaled_positions(wrap=False) @ matrix  # in vectors of the primitive cell
    like = _like(places, primitive)
    phases = np.exp(2j * np.pi * places @ modes.q)
    waves = modes.eigenvectors.reshape(len(modes.eigenvectors), len(primitive), 3)[:, like]
    waves = (waves * phases[None, :, None]).reshape(len(waves), -1)
    spanned = np.concatenate([waves.real, waves.imag])
    _, sizes, rows = np.linalg.svd(spanned, full_matrices=False)
    space = rows[sizes > 1e-3 * sizes.max()]
    return FrozenModes(cell, _adapted(space))


def commensurate_matrix(q: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Return rows of the smallest and most compact superlattice into which a wave fits, (3, 3).

    Its index is the least common denominator of the wave vector: that many translations of the
    crystal differ in phase.

    Raises
    ------
    ValueError
        If that is larger than `FINEST`.
    """
    number = denominator(q)
    if number is None:
        raise ValueError(f"a wave of {q} fits into no small cell")
    steps = np.array(list(itertools.product(range(-number, number + 1), repeat=3)))
    phases = steps @ np.rint(number * q)
    steps = steps[(phases % number == 0) & steps.any(axis=1)]
    steps = steps[np.argsort(np.linalg.norm(steps @ cell, axis=1), kind="stable")]
    # The shortest independent vectors of a lattice in three dimensions are a basis of it.
    first = steps[0]
    second = next(step for step in steps if np.cross(first, step).any())
    volumes = np.rint(steps @ np.cross(first, second)).astype(int)
    third = int(np.flatnonzero(np.abs(volumes) == number)[0])
    return np.array([first, second, steps[third] * np.sign(volumes[third])])


def nearest_simple(q: np.ndarray, cell: np.ndarray) -> list[np.ndarray]:
    """Return the wave vectors with denominators up to `FINEST`, nearest first, Gamma left out."""
    reciprocal = np.linalg.inv(cell).T
    grids = [
        np.array(list(itertools.product(range(-n, n + 1), repeat=3))) / n
        for n in range(1, FINEST + 1)
    ]
    points = np.unique(np.round(np.concatenate(grids), 12), axis=0)
    points = points[(np.abs(points - np.rint(points)) > SAME_POINT).any(axis=1)]
    return list(points[np.argsort(np.linalg.norm((points - q) @ reciprocal, axis=1))])


def _like(places: np.ndarray, primitive: Atoms) -> np.ndarray:
    """Index of each atom's like in the primitive cell; places in its vectors."""
    apart = places[:, None] - primitive.get_scaled_positions(wrap=False)[None]
    apart = np.linalg.norm((apart - np.rint(apart)) @ primitive.cell.array, axis=2)
    return apart.argmin(axis=1)


def _adapted(space: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of pivoted columns of the projector onto a space.

    In a set such as the polar modes of a cubic crystal these are displacements along x, y and z;
    in one of rotations, rotations about them.
    """
    projector = space.T @ space
    basis = []
    for _ in range(len(space)):
        norms = np.linalg.norm(projector, axis=0)
        # The first of those that are equal but for rounding.
        pivot = int(np.flatnonzero(norms > (1 - 1e-6) * norms.max())[0])
        vector = projector[:, pivot] / norms[pivot]
        basis.append(vector)
        projector = projector - np.outer(vector, vector @ projector)
    return np.array(basis)
