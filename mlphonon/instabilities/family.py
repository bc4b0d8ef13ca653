"""Where real instabilities lead: children of lower symmetry, theirs, until one is stable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.crystal.crystal import Crystal, make_crystal
from mlphonon.crystal.structure_json import to_dict
from mlphonon.errors import MlphononError
from mlphonon.instabilities.diagnosis import DiagnosedMode, diagnose, is_unsettled
from mlphonon.instabilities.explanation import Explanation, ExplanationRecord, Member, Well
from mlphonon.instabilities.frozen_modes import MEV
from mlphonon.relaxation import relax
from mlphonon.reporter import Reporter, Silent
from mlphonon.settings import PhononSettings
from mlphonon.workflow import compute_phonons, potential_of

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential

CHILD_SYMPREC = 1e-3
"""A; the symmetry of a displaced crystal is looked for so finely: eigenvectors are less noisy, and
displacements at a minimum are a hundred times larger."""

SAME_ENERGY = 0.02
"""meV/atom; crystals of one space group and size closer than this are the same."""

CHILD_MESH = 40.0
"""A; the longest mesh on which children are looked at: for where modes are imaginary, not for
densities of states."""

COMPUTED = ("energy_meV_per_atom", "lowest_THz", "stable", "structure")
"""What phonons tell of a member."""

SHALLOW = 0.001
"""meV/atom; a well less deep leads nowhere that can be told from its parent."""


@dataclass(frozen=True)
class Limits:
    """Where the family ends.

    Attributes
    ----------
    generations : int
        From the crystal to its farthest descendants. Perovskites need two or three: tilts about
        one axis, then about another.
    children : int
        Of one crystal: those with the deepest wells.
    members : int
        Of the family.
    atoms : int
        In the primitive cell of a child.
    """

    generations: int = 3
    children: int = 2
    members: int = 8
    atoms: int = 60


@dataclass(frozen=True)
class _Way:
    """A direction in a set of modes, and the energy along it."""

    mode: str
    start: Crystal
    well: Well


def explain_imaginary_modes(
    phonons: Phonons,
    potential: Any = None,
    limits: Limits | None = None,
    *,
    device: str = "auto",
    allow_pickle: bool = False,
    reporter: Reporter | None = None,
) -> Explanation:
    """Find out what imaginary modes are, and follow those that are real.

    Each mode gets a cause; those that are real are followed to crystals of lower symmetry and
    energy, and theirs, until one is stable.

    Parameters
    ----------
    phonons : Phonons
        Of the crystal.
    potential : str, path, ASE calculator or Potential, optional
        That they were made with; loaded as it was by default.
    limits : Limits, optional
        Where the family ends.
    device : {"auto", "cpu", "cuda"}
        Where a potential that is loaded by name or file runs.
    allow_pickle : bool
        Allow a pickled model file that nothing vouches for. It can run any code.
    reporter : Reporter, optional
        Is told what is being done.

    Raises
    ------
    MlphononError
        If the potential cannot be loaded, or fails on the crystal itself; a child that fails is a
        member with a note.
    """
    engine = potential_of(phonons, potential, device=device, allow_pickle=allow_pickle)
    family = _Family(engine, limits or Limits(), reporter or Silent())
    rested = family.brought_to_rest(phonons)
    found = family.look_at(phonons, rested)
    if any(one.frozen is not None for one in found):
        family.grow(rested or phonons, found)
    record = ExplanationRecord(
        name=phonons.record.name,
        formula=phonons.record.formula,
        potential=phonons.record.potential,
        modes=tuple(one.mode for one in found),
        family=tuple(family.members),
    )
    return Explanation(record)


class _Family:
    """Grows, one generation after the other."""

    def __init__(self, potential: Potential, limits: Limits, reporter: Reporter) -> None:
        self.potential, self.limits, self.reporter = potential, limits, reporter
        self.members: list[Member] = []

    def look_at(self, phonons: Phonons, rested: Phonons | None = None) -> list[DiagnosedMode]:
        """Return the imaginary modes of a crystal with their causes."""
        with self.reporter.step(f"imaginary modes of {phonons.record.name}", None):
            return diagnose(phonons, self.potential, rested)

    def brought_to_rest(self, phonons: Phonons) -> Phonons | None:
        """Return the phonons at rest of a crystal that may not be; None of others."""
        if not is_unsettled(phonons):
            return None
        changes = {"relax": True, "allow_unconverged": False}
        settings = _free(phonons.record.settings).model_copy(update=changes)
        crystal = make_crystal(phonons.atoms, settings.symprec, phonons.record.name)
        return compute_phonons(crystal, self.potential, settings, reporter=self.reporter)

    def grow(self, root: Phonons, found: list[DiagnosedMode]) -> None:
        """Follow the modes of a crystal, those of its children, and so on."""
        settings = _free(root.record.settings)
        mesh = min(settings.mesh, CHILD_MESH)
        self._settings = settings.model_copy(update={"mesh": mesh})
        self._energy = root.record.energy_eV_per_atom
        first = self._member(root.record.name, root)
        self.members.append(first)
        parents = [(first.name, found)]
        for _ in range(self.limits.generations):
            grown = [child for name, modes in parents for child in self._children(name, modes)]
            unstable = [(member, phonons) for member, phonons in grown if not member.stable]
            if not unstable or len(self.members) >= self.limits.members:
                return
            parents = [(member.name, self.look_at(phonons)) for member, phonons in unstable]

    def _children(self, parent: str, found: list[DiagnosedMode]) -> list[tuple[Member, Phonons]]:
        """Add the children of a crystal; return those that are new, with their phonons."""
        grown = []
        for way in self._ways(found)[: self.limits.children]:
            if len(self.members) < self.limits.members:
                child = self._add_child(parent, way)
                grown += [] if child is None else [child]
        return grown

    def _ways(self, found: list[DiagnosedMode]) -> list[_Way]:
        """Return the different directions that go down, the deepest first."""
        ways: list[_Way] = []
        for one in found:
            if one.frozen is None:
                continue
            for name, direction in one.frozen.directions():
                label = f"{one.mode.label} {name}".rstrip()
                with self.reporter.step(f"energy along {label}", None):
                    well = one.frozen.well(self.potential, direction)
                if well.depth_meV_per_atom < SHALLOW:
                    continue
                displaced = one.frozen.displaced(direction, well.minimum)
                way = _Way(label, make_crystal(displaced, CHILD_SYMPREC), well)
                fits = len(way.start.atoms) <= self.limits.atoms
                if fits and not any(_alike(way, other) for other in ways):
                    ways.append(way)
        return sorted(ways, key=lambda way: -way.well.depth_meV_per_atom)

    def _add_child(self, parent: str, way: _Way) -> tuple[Member, Phonons] | None:
        """Relax a child; one that is new gets phonons."""
        name = f"{parent}/{way.mode.replace(' ', '-')}"
        crystal = replace(way.start, name=name)
        child = Member(
            name=name,
            parent=parent,
            mode=way.mode,
            spacegroup=crystal.spacegroup,
            n_atoms=len(crystal.atoms),
            structure=to_dict(crystal.atoms),
            well=way.well,
        )
        try:
            with self.reporter.step(f"relaxing {name}", None) as count:
                relaxed = relax(crystal, self.potential, self._settings, lambda _s, _l: count(1))
            # It may have found more symmetry than it had.
            crystal = make_crystal(relaxed.atoms, CHILD_SYMPREC, name)
            changes = {
                "spacegroup": crystal.spacegroup,
                "n_atoms": len(crystal.atoms),
                "energy_meV_per_atom": MEV * (relaxed.energy - self._energy),
                "structure": to_dict(crystal.atoms),
            }
            child = child.model_copy(update=changes)
            if same := next((one for one in self.members if _same(one, child)), None):
                back = same.name == parent
                note = "falls back to its parent" if back else f"the same as {same.name}"
                self.members.append(child.model_copy(update={"note": note}))
                return None
            phonons = compute_phonons(
                crystal, self.potential, self._settings, reporter=self.reporter
            )
        except MlphononError as error:
            self.members.append(child.model_copy(update={"note": str(error)}))
            return None
        changes = self._member(name, phonons).model_dump(include=set(COMPUTED))
        child = child.model_copy(update=changes)
        self.members.append(child)
        return child, phonons

    def _member(self, name: str, phonons: Phonons) -> Member:
        record, stability = phonons.record, phonons.stability
        return Member(
            name=name,
            spacegroup=record.spacegroup,
            n_atoms=record.n_atoms_primitive,
            energy_meV_per_atom=MEV * (record.energy_eV_per_atom - self._energy),
            lowest_THz=stability.lowest_frequency_THz,
            stable=stability.stable_by_threshold,
            structure=to_dict(phonons.atoms),
        )


def _free(settings: PhononSettings) -> PhononSettings:
    """Return settings for another cell: a supercell in terms of the first means nothing there."""
    if isinstance(settings.supercell, str):
        return settings
    return settings.model_copy(update={"supercell": "auto"})


def _alike(one: _Way, other: _Way) -> bool:
    """Tell whether two directions are the same by symmetry: same group, same energy."""
    return (
        one.start.spacegroup == other.start.spacegroup
        and len(one.start.atoms) == len(other.start.atoms)
        and bool(np.isclose(one.well.depth_meV_per_atom, other.well.depth_meV_per_atom, rtol=1e-3))
    )


def _same(one: Member, other: Member) -> bool:
    """Tell whether two crystals are the same."""
    if one.energy_meV_per_atom is None or other.energy_meV_per_atom is None:
        return False
    apart = abs(one.energy_meV_per_atom - other.energy_meV_per_atom)
    return one.spacegroup == other.spacegroup and apart < SAME_ENERGY
