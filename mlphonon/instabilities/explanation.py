"""What is said of imaginary modes: the cause of each, and the family of crystals they lead to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.crystal.structure_json import to_atoms
from mlphonon.io.result import Result

Cause = Literal["numerical", "under-relaxation", "truncation", "long wave", "saddle", "instability"]

MEANING: dict[Cause, str] = {
    "numerical": "noise of the calculation, no property of the crystal",
    "under-relaxation": "gone when the crystal is at rest",
    "truncation": "made by the supercell's interpolation; the potential itself holds the crystal",
    "long wave": "imaginary at long waves only: an elastic instability, or too small a supercell",
    "saddle": "real: the symmetry of the cell holds the crystal on a saddle",
    "instability": "real: the crystal lowers its energy in a larger cell",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImaginaryMode(_Frozen):
    """A set of degenerate imaginary modes at one wave vector (of a star).

    Attributes
    ----------
    label : str
        Name of the wave vector, or its coordinates.
    q : tuple of float
        In reciprocal vectors of the primitive cell.
    frequency_THz : float
        Interpolated; negative.
    degeneracy : int
        Modes in the set.
    commensurate : bool
        Whether the wave fits into the supercell, so that nothing was interpolated.
    cause : Cause
        Why it is imaginary.
    measured_THz : float, optional
        Frequency by the forces of the potential along the mode, in a cell that the wave fits into;
        None where that was not measured.
    followed_q : tuple of float, optional
        The wave vector of that cell, where it is another one near by.
    """

    label: str
    q: tuple[float, float, float]
    frequency_THz: float
    degeneracy: int
    commensurate: bool
    cause: Cause
    measured_THz: float | None = None
    followed_q: tuple[float, float, float] | None = None

    def describe(self) -> str:
        """Return what it is in a line."""
        how = "fits into the supercell" if self.commensurate else "interpolated"
        several = f", {self.degeneracy} alike" if self.degeneracy > 1 else ""
        measured = ""
        if self.measured_THz is not None:
            where = ""
            if self.followed_q is not None:
                where = f" at ({', '.join(f'{x:.3g}' for x in self.followed_q)})"
            measured = f", by the potential itself {self.measured_THz:.2f} THz{where}"
        return (
            f"{self.label}: {self.frequency_THz:.2f} THz{several} ({how}){measured};"
            f" {self.cause}: {MEANING[self.cause]}"
        )


class Well(_Frozen):
    """Energy along a frozen mode, of the cell that the wave fits into.

    Attributes
    ----------
    amplitudes : tuple of float
        Q, A sqrt(amu): Q^2 is the sum of mass times squared displacement.
    energies_meV : tuple of float
        Above the undisplaced crystal, of the cell.
    coefficients_meV : dict
        Of the fit: power of Q -> meV / (A sqrt(amu))^power.
    minimum : float
        Q where the energy is least.
    depth_meV : float
        How far below zero that is, of the cell.
    n_atoms : int
        In the cell.
    displacement_A : float
        Largest displacement of an atom at the minimum.
    """

    amplitudes: tuple[float, ...]
    energies_meV: tuple[float, ...]
    coefficients_meV: dict[int, float]
    minimum: float
    depth_meV: float
    n_atoms: int
    displacement_A: float

    @property
    def depth_meV_per_atom(self) -> float:  # noqa: N802
        """The depth for each atom."""
        return self.depth_meV / self.n_atoms


class Member(_Frozen):
    """A crystal of the family.

    Attributes
    ----------
    name, parent : str
        Names; the root has no parent.
    mode : str, optional
        The parent's mode that leads to it, and in which direction of degenerate ones.
    spacegroup : str
        Symbol and number.
    n_atoms : int
        In the primitive cell.
    energy_meV_per_atom : float, optional
        Relative to the root; None where the relaxation failed.
    lowest_THz : float, optional
        Lowest frequency.
    stable : bool, optional
        By the threshold of the settings.
    note : str
        What else is to be said, such as why there are no phonons.
    structure : dict
        Numbers, cell and positions.
    well : Well, optional
        Energy along the mode that leads to it.
    """

    name: str
    parent: str | None = None
    mode: str | None = None
    spacegroup: str
    n_atoms: int
    energy_meV_per_atom: float | None = None
    lowest_THz: float | None = None
    stable: bool | None = None
    note: str = ""
    structure: dict[str, Any]
    well: Well | None = None

    def describe(self) -> str:
        """Return what it is in a line."""
        parts = [f"{self.spacegroup}, {self.n_atoms} atoms"]
        if self.parent is not None and self.energy_meV_per_atom is not None:
            parts.append(f"{self.energy_meV_per_atom:+.2f} meV/atom")
        if self.lowest_THz is not None:
            verdict = "stable" if self.stable else "unstable"
            parts.append(f"{verdict} (lowest mode {self.lowest_THz:.2f} THz)")
        if self.note:
            parts.append(self.note)
        by = f" by {self.mode}" if self.mode else ""
        return f"{self.name}{by}: {', '.join(parts)}"


class ExplanationRecord(_Frozen):
    """What was found, and of which phonons: frozen, and JSON as it stands."""

    name: str
    formula: str
    potential: dict[str, Any]
    modes: tuple[ImaginaryMode, ...]
    family: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Explanation(Result):
    """What the imaginary modes of a crystal are, and where they lead.

    Attributes
    ----------
    record : ExplanationRecord
        Holds all of it.
    """

    kind: ClassVar[str] = "imaginary_modes"
    words: ClassVar[str] = "an explanation of imaginary modes"
    figures: ClassVar[Mapping[str, str]] = {"family.png": "mlphonon.report.family:plot_family"}

    record: ExplanationRecord

    @property
    def modes(self) -> tuple[ImaginaryMode, ...]:
        """Lowest first."""
        return self.record.modes

    @property
    def family(self) -> tuple[Member, ...]:
        """The crystal and where its modes lead, parents before children; empty if none is real."""
        return self.record.family

    @property
    def ground_state(self) -> Member | None:
        """The stable member of least energy, if there is one."""
        stable = [m for m in self.family if m.stable and m.energy_meV_per_atom is not None]
        return min(stable, key=lambda m: m.energy_meV_per_atom or 0.0, default=None)

    def children(self, name: str) -> tuple[Member, ...]:
        """Return what the modes of one member lead to."""
        return tuple(member for member in self.family if member.parent == name)

    def summary(self) -> dict[str, Any]:
        """Return what one wants to know at a glance, as plain types; units in the names."""
        ground = self.ground_state
        return {
            "name": self.record.name,
            "causes": {mode.label: mode.cause for mode in self.modes},
            "ground_state": None if ground is None else ground.spacegroup,
            "record": self.record.model_dump(mode="json"),
        }

    def describe(self) -> list[str]:
        """Return lines for people: the modes, then the family, indented."""
        if not self.modes:
            return ["no imaginary mode: nothing to explain"]
        lines = [mode.describe() for mode in self.modes]

        def describe_branch(member: Member, depth: int) -> None:
            lines.append("  " * depth + member.describe())
            for child in self.children(member.name):
                describe_branch(child, depth + 1)

        for member in self.family[:1]:
            describe_branch(member, 0)
        return lines

    def table(self) -> dict[str, np.ndarray]:
        """Return the modes, one a row; NaN where a frequency was not measured."""
        measured = [mode.measured_THz for mode in self.modes]
        return {
            "wave_vector": np.array([mode.label for mode in self.modes]),
            "frequency_THz": np.array([mode.frequency_THz for mode in self.modes]),
            "degeneracy": np.array([mode.degeneracy for mode in self.modes]),
            "cause": np.array([mode.cause for mode in self.modes]),
            "measured_THz": np.array([np.nan if x is None else x for x in measured]),
        }

    def figure_names(self) -> tuple[str, ...]:
        """Of a family, if there is one."""
        return tuple(self.figures) if self.family else ()

    def write_files(self, folder: Path) -> tuple[str, ...]:
        """Write nothing: all of it is in the summary."""
        return ()

    def write_extras(self, folder: Path) -> None:
        """Write the crystals that imaginary modes lead to, for all programs."""
        import ase.io

        if not self.family:
            return
        children = folder / "family"
        children.mkdir()
        for member in self.family:
            file = children / f"{member.name.replace('/', '_')}.vasp"
            ase.io.write(file, to_atoms(member.structure), sort=True, direct=True)

    @classmethod
    def read_files(cls, folder: Path, summary: Mapping[str, Any]) -> Explanation:
        """Return what the summary holds."""
        return cls(ExplanationRecord.model_validate(summary["record"]))
