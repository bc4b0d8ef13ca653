"""How a potential is compared with DFT: fixed, versioned, and printed with every table."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from mlphonon.evaluation.record import Structure
from mlphonon.settings import PhononSettings
from mlphonon.settings_base import Settings


class Protocol(Settings):
    """The settings of a comparison; those not here are `PhononSettings`' own.

    A crystal fails if its relaxation does not converge
    or changes the space group, or if the potential cannot evaluate it; failures are counted.
    Bands are matched by their order at each q-point, and by eigenvector where DFT's force
    constants are known. Neither side has the non-analytical term, unless the set says so of DFT.
    """

    words: ClassVar[str] = "the protocol"

    version: int = 3
    """Of the rules that are not numbers here; results of different versions do not merge."""

    structures: tuple[Structure, ...] = Field(default=("relaxed", "dft"), min_length=1)
    """Where phonons are compared: relaxed by the potential with its space group kept, as one
    would use it, and at DFT's structure, which tells a wrong lattice from wrong forces."""

    fmax: float = Field(default=1e-4, gt=0)
    """Largest force left, eV/A."""

    symprec: float = Field(default=1e-5, gt=0)
    """A."""

    displacement: float = Field(default=0.03, gt=0, le=0.2)
    """A; 0.03 as most entries of the kappa leaderboard, whose DFT had 0.03 too."""

    supercell: Literal["reference", "own"] = "reference"
    """That of DFT's force constants, so that both cut off the same; or our own, as a user would
    have it, of `min_length`."""

    min_length: float = Field(default=12.0, gt=0)
    """Least height of our own supercell, A, and of that of a reference which names none."""

    conductivity: bool = False
    """Compare the heat conductivity too, at the first structure, where DFT's is known: minutes
    for each crystal."""

    temperature: float = Field(default=300.0, gt=0)
    """Of the thermal properties, K."""

    def settings(self, structure: Structure, supercell: tuple[int, ...] | None) -> PhononSettings:
        """Return the settings of one crystal's calculation."""
        return PhononSettings.make(
            relax=structure == "relaxed",
            fmax=self.fmax,
            symprec=self.symprec,
            method="displacements",
            protocol="field",
            displacement=self.displacement,
            supercell="auto" if supercell is None else supercell,
            min_length=self.min_length,
            allow_nonconservative=True,
        )
