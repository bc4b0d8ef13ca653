"""Settings of what makes and labels structures, and the reason for each."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field, field_validator

from mlphonon.settings_base import Settings

KINDS = ("rattle", "strain", "thermal", "modes", "finite")
"""Ways to distort a crystal."""


class Distortions(Settings):
    """How crystals are distorted."""

    words: ClassVar[str] = "distortions"

    kinds: tuple[str, ...] = ("rattle", "strain")
    """Taken in turn: ``"rattle"`` (every coordinate at random), ``"strain"`` (the cell at random,
    and rattled), ``"thermal"`` (as at `temperature` by a potential's phonons), ``"modes"``
    (along one of a potential's modes, imaginary ones first), ``"finite"`` (one atom, as
    phonopy does)."""

    per_crystal: int = Field(default=10, ge=1, le=100_000)
    """Structures of each crystal (of kind ``"finite"`` as many as symmetry asks for)."""

    amplitude: float = Field(default=0.03, gt=0, le=1)
    """Standard deviation of each coordinate's displacement, A: thermal motion at 300 K is 0.05
    to 0.1; at 1 A, half a bond, nothing of the crystal is left."""

    strain: float = Field(default=0.03, gt=0, lt=0.3)
    """Largest component of strain."""

    temperature: float = Field(default=300.0, ge=0, le=10_000)
    """K."""

    distance: float = Field(default=0.01, gt=0, le=0.2)
    """Displacement of kind ``"finite"``, A: phonopy's."""

    min_length: float = Field(default=10.0, gt=0, le=100)
    """Least height of the supercells of kind ``"finite"``, A."""

    max_atoms: int = Field(default=32, ge=1, le=10_000)
    """A crystal is repeated as often as it may, in a superlattice drawn at random: small enough
    for a DFT code, and other waves fit into every one."""

    seed: int = Field(default=1, ge=0, lt=2**31)
    """The same seed gives the same structures."""

    @field_validator("kinds")
    @classmethod
    def _check_kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if not kinds:
            raise ValueError(f"there must be at least one kind; take of {', '.join(KINDS)}")
        for kind in kinds:
            if kind not in KINDS:
                raise ValueError(
                    f"there is no kind of distortion '{kind}'; take of {', '.join(KINDS)}"
                )
        return kinds

    @property
    def needs_phonons(self) -> bool:
        """Whether a potential's phonons are asked for."""
        return bool(set(self.kinds) & {"thermal", "modes"})


class DftSettings(Settings):
    """Settings of a DFT code."""

    words: ClassVar[str] = "the DFT code"

    functional: str
    """What data sets name as the origin of the labels, such as ``"PBE"``."""

    command: str | None = None
    """How the program is called, such as ``"mpirun -np 4 pw.x"``; ASE's configuration
    otherwise."""

    profile: dict[str, Any] = Field(default_factory=dict)
    """What else ASE's profile of the code takes, such as ``pseudo_dir``."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    """What ASE's calculator takes."""
