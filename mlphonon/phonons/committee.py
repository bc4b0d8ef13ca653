"""Several potentials on one crystal: how far they disagree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.phonons.results import BandSpread, BandStructure, Spread, ThermalSpread
from mlphonon.potentials.several import distinct_names
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.record import Record

SAME = ("structure_sha256", "settings", "supercell_matrix", "born_charges")
"""What the records of all members must agree in."""


@dataclass(frozen=True, eq=False)
class Committee:
    """Phonons of one crystal by several potentials, each at its own minimum.

    All have the same supercell matrix, so that the same q-points fit into it; q-points are in
    reciprocal vectors of the standardised primitive cell, which strain does not change. Means and
    standard deviations (n - 1 in the denominator) are over the potentials.

    Attributes
    ----------
    members : tuple of Phonons
        One for each potential, in the order in which they were given.

    Raises
    ------
    ValueError
        If there are fewer than two members, or they are not of one calculation.
    """

    members: tuple[Phonons, ...]

    def __post_init__(self) -> None:
        require_one_calculation([member.record for member in self.members])

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the potentials are called; of equal names the second is ``"name (2)"``."""
        return names_of([member.record for member in self.members])

    def bands(self) -> BandSpread:
        """Return frequencies along the path of the first member."""
        return self._bands

    @cached_property
    def _bands(self) -> BandSpread:
        first = self.members[0].bands()
        return BandSpread.of([first, *(_along(first, other) for other in self.members[1:])])

    @cached_property
    def max_frequency(self) -> Spread:
        """Highest frequency, THz (see `Phonons.max_frequency`)."""
        return Spread.of(member.max_frequency for member in self.members)

    @cached_property
    def volume(self) -> Spread:
        """Volume per atom of the (relaxed) crystal, A^3."""
        return Spread.of(m.atoms.get_volume() / len(m.atoms) for m in self.members)

    def thermal(self, temperatures: Sequence[float] | None = None) -> ThermalSpread:
        """Return thermal properties, each member's at its own volume (see `Phonons.thermal`).

        Parameters
        ----------
        temperatures : sequence of float, optional
            K; the grid of the settings by default.
        """
        return ThermalSpread.of([member.thermal(temperatures) for member in self.members])

    @cached_property
    def stable(self) -> tuple[bool, ...]:
        """Whether each member finds no mode below the threshold (see `Stability`)."""
        return tuple(member.stability.stable_by_threshold for member in self.members)

    @cached_property
    def mesh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """q-points, frequencies (THz) of every member, and weights.

        Shapes (n, 3), (n_members, n, n_bands) and (n,).
        """
        groups = [_point_group(member) for member in self.members]
        # The same for any order of the members: least symmetry, then the finest mesh.
        chosen = min(
            range(len(groups)), key=lambda k: (len(groups[k]), -self.members[k].mesh[2].sum())
        )
        qpoints, _, weights = self.members[chosen].mesh
        group = groups[chosen]
        if not all(group <= other for other in groups):
            # One point does not stand for its star where a member lacks a rotation.
            qpoints = np.concatenate([qpoints @ np.reshape(r, (3, 3)) for r in sorted(group)])
            weights = np.tile(weights / len(group), len(group))
        frequencies = np.array([member.frequencies(qpoints) for member in self.members])
        return qpoints, frequencies, weights

    @cached_property
    def frequency_spread(self) -> float:
        """Root mean square of the standard deviation over q-mesh and bands, THz."""
        _, frequencies, weights = self.mesh
        variances = frequencies.var(axis=0, ddof=1).mean(axis=1)
        return float(np.sqrt(np.average(variances, weights=weights)))

    @cached_property
    def rms_frequency(self) -> float:
        """Root mean square frequency over q-mesh, bands and members, THz."""
        _, frequencies, weights = self.mesh
        squares = (frequencies**2).mean(axis=(0, 2))
        return float(np.sqrt(np.average(squares, weights=weights)))

    def describe(self, temperature: float = 300.0) -> list[str]:
        """Return what is worth saying, in lines."""
        heat = self.thermal([temperature])
        n = heat.mean.n_atoms

        def bar(mean: float, std: float) -> str:
            return f"{mean:.2f} \N{PLUS-MINUS SIGN} {round(float(std), 4):.2g}"

        c, s, f = (
            bar(getattr(heat.mean, name)[0] / n, getattr(heat.std, name)[0] / n)
            for name in ("heat_capacity", "entropy", "free_energy")
        )
        top, volume = self.max_frequency, self.volume
        return [
            f"committee of {len(self.members)} ({', '.join(self.names)}): frequencies"
            f" \N{PLUS-MINUS SIGN} {self.frequency_spread:.2g} THz (root mean square);"
            f" stable by {sum(self.stable)} of {len(self.members)}",
            f"mean and standard deviation: highest mode {bar(top.mean, top.std)} THz; at"
            f" {temperature:g} K per mole of atoms: C_V {c} J/K, S {s} J/K, F {f} kJ;"
            f" volume {bar(volume.mean, volume.std)} A^3 per atom",
        ]


def names_of(records: Sequence[Record]) -> tuple[str, ...]:
    """Names of the members of a committee (see `Committee.names`)."""
    return distinct_names([record.potential["name"] for record in records])


def require_one_calculation(records: Sequence[Record]) -> None:
    """Raise ValueError if these are not two or more that differ in nothing but the potential."""
    if len(records) < 2:
        raise ValueError("a committee has two members or more")
    first, *others = records
    for name, record in zip(names_of(records)[1:], others, strict=True):
        for field in SAME:
            if getattr(record, field) != getattr(first, field):
                raise ValueError(f"{field} of {name} is not that of the committee's first")


def _along(first: BandStructure, other: Phonons) -> BandStructure:
    """Return what another member says at the q-points of the first.

    Not by ``run_band_structure``: that would change what the member's own phonopy object holds.
    """
    from phonopy.phonon.band_structure import BandStructure as PhonopyBands

    phonopy = other.phonopy
    with one_blas_thread():
        found = PhonopyBands(
            list(first.segments),
            phonopy.dynamical_matrix,
            factor=phonopy.unit_conversion_factor,
        )
    frequencies = tuple(np.array(piece) for piece in found.frequencies)
    for piece in frequencies:
        piece.setflags(write=False)
    return replace(first, frequencies=frequencies)


def _point_group(member: Phonons) -> frozenset[tuple[Any, ...]]:
    """Return the rotations by which the member's mesh was reduced, flat."""
    rotations = member.phonopy.primitive_symmetry.pointgroup_operations
    return frozenset(tuple(np.ravel(rotation).tolist()) for rotation in rotations)
