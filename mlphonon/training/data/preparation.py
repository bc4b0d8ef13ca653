"""Crystals in files -> files of distorted structures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlphonon.crystal.crystal import read_crystals
from mlphonon.errors import CrystalError
from mlphonon.potentials.loading import load_potential
from mlphonon.reporter import Reporter
from mlphonon.training.data.generation import distort
from mlphonon.training.data.label_files import write_structures
from mlphonon.training.data.settings import Distortions
from mlphonon.training.data.substitution import at_best_volume, substitute
from mlphonon.workflow import compute_phonons

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.phonons.phonons import Phonons


@dataclass(frozen=True)
class Preparation:
    """Makes structures that are to be labelled.

    Attributes
    ----------
    distortions : Distortions
        How crystals are distorted.
    potential : str
        Whose phonons some distortions follow, and by which new crystals find their volume.
    substitutes : int
        New crystals to add, made by exchanging elements.
    reporter : Reporter
        Told what is being done.
    """

    distortions: Distortions
    potential: str
    substitutes: int
    reporter: Reporter

    def write(self, paths: list[Path], folder: Path) -> int:
        """Write a file for each structure into `folder`, and return how many there are.

        Raises
        ------
        MlphononError
            If a file holds no crystal, or phonons that are needed cannot be computed.
        """
        crystals = self._crystals(paths)
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        with self.reporter.step("making structures", len(crystals)) as advance:
            for name, atoms in crystals.items():
                phonons = self._phonons(atoms)
                start = atoms if phonons is None else phonons.atoms
                for number, made in enumerate(distort(start, name, self.distortions, phonons)):
                    write_structures(folder / f"{name}-{number:03d}.extxyz", [made])
                    count += 1
                advance(1)
        return count

    def _crystals(self, paths: list[Path]) -> dict[str, Atoms]:
        """Return crystals as they were given, by names that differ."""
        found: dict[str, Atoms] = {}
        for path in paths:
            for crystal in read_crystals(path):
                name = crystal.name.replace("/", "-")
                while name in found:
                    name += "x"
                found[name] = crystal.given
        if not found:
            raise CrystalError("there is no crystal", fix="give files that hold some")
        return found | self._new(list(found.values()))

    def _new(self, known: list[Atoms]) -> dict[str, Atoms]:
        if not self.substitutes:
            return {}
        potential = load_potential(self.potential)
        elements = potential.info.elements or {int(z) for atoms in known for z in atoms.numbers}
        drawn = list(substitute(known, elements, self.substitutes, self.distortions.seed))
        made = at_best_volume(drawn, potential)
        return {f"{a.get_chemical_formula()}-new{i:04d}": a for i, a in enumerate(made)}

    def _phonons(self, atoms: Atoms) -> Phonons | None:
        if not self.distortions.needs_phonons:
            return None
        return compute_phonons(atoms, self.potential, min_length=self.distortions.min_length)
