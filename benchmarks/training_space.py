"""How wrong the embedded potential is, by the distance from what it was taught.

    python benchmarks/training_space.py --data DIR [--make] [-o benchmarks/training-space.md]

DIR holds distill/nequix-oam-1-pft.extxyz.gz (the teacher's labels of the first lesson),
phonondb103, phonopy-examples and alexandria-binary (see the model card). With ``--make`` the file
mlphonon/potentials/embedded/training_space.npz is made anew first; else the one that is there is
judged. What is held out is what recipe.yaml held out.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import ase.io
import numpy as np
from ase import Atoms
from descriptor_distances import Distance, definitions
from scipy.optimize import isotonic_regression
from scipy.stats import spearmanr
from tables import machine, markdown_table, write_page

from mlphonon import load_potential
from mlphonon.crystal.crystal import make_crystal
from mlphonon.force_constants.cells import to_ase
from mlphonon.potentials.mace.mace_potential import MacePotential
from mlphonon.potentials.named.store import EMBEDDED_FOLDER, sha256_of
from mlphonon.potentials.training_space import FILE, TrainingSpace, save_training_space
from mlphonon.readers.folder import load_calculation
from mlphonon.relaxation import relax
from mlphonon.screening.crystals.sources import read_sources
from mlphonon.settings import PhononSettings
from mlphonon.system.threads import one_blas_thread
from mlphonon.training.data.frame import Frame, TrainingData, join
from mlphonon.training.data.reading import read_sources as read_labels
from mlphonon.training.from_scratch.compute import hold_out
from mlphonon.training.from_scratch.settings import Recipe
from mlphonon.training.training_domain import (
    Environments,
    environments_of,
    structures_of,
    training_space_of,
)
from mlphonon.trust.training import LIMIT

DISTILL = "distill/nequix-oam-1-pft.extxyz.gz"
ALEXANDRIA = "alexandria-binary/alexandria-binary-pbe-phonon-2025.1.json.gz"
PHONONDB = "phonondb103/phononDB-PBE-structures.extxyz"

NEVER_TAUGHT = {"NaCl": 0.33, "Si": 0.54, "MgO": 1.01, "Al2O3": 2.44}
"""Crystals whose formulas were never taught, and errors of their frequencies (model card), THz."""

BINS = (0.0, 0.3, 0.5, LIMIT, 0.9, 1.2, np.inf)
SAMPLE = 1200
"""Taught frames whose errors are measured."""

LARGEST, SCREENED = 14, 200
"""Atoms of the crystals, and how many of them, that are relaxed."""

APART = 0.3
"""Relative change of volume by which a crystal has fallen apart, as in screening.py."""


@dataclass(frozen=True)
class Errors:
    """Descriptors of frames, and errors of the forces on their atoms."""

    seen: Environments
    kinds: np.ndarray
    error: np.ndarray
    force: np.ndarray

    def per_frame(self, values: np.ndarray, how: Callable[[np.ndarray], float]) -> np.ndarray:
        """Reduce values of atoms to one for each frame."""
        ends = np.flatnonzero(np.diff(self.seen.structure)) + 1
        return np.array([how(part) for part in np.split(values, ends)])

    @property
    def relative(self) -> np.ndarray:
        """Root mean square error of forces, in units of the forces, of each frame."""
        error = self.per_frame(self.error**2, np.mean)
        return np.sqrt(error / self.per_frame(self.force**2, np.mean))

    @property
    def relative_by_atom(self) -> np.ndarray:
        """Error of the force on each atom, in units of the frame's root mean square force."""
        force = np.sqrt(self.per_frame(self.force**2, np.mean))
        return self.error / force[self.seen.structure]


def measure(potential: MacePotential, frames: list[Frame]) -> Errors:
    """Compare the forces of labelled frames."""
    atoms = structures(frames)
    found = np.concatenate([one.forces for one in potential.evaluate(atoms)])
    labels = np.concatenate([frame.forces for frame in frames])
    return Errors(
        seen=environments_of(potential, atoms),
        kinds=np.array([frame.kind for frame in frames]),
        error=np.linalg.norm(found - labels, axis=1),
        force=np.linalg.norm(labels, axis=1),
    )


def rank(one: np.ndarray, two: np.ndarray, chosen: np.ndarray) -> float:
    """Return Spearman's rank correlation of what is chosen."""
    return float(spearmanr(one[chosen], two[chosen])[0])


def compare_definitions(
    choices: dict[str, Distance], held: Errors, known: Environments, stretched: Environments
) -> str:
    """Return the table of definitions."""
    rows = []
    for name, distance in choices.items():
        found = distance(held.seen.features, held.seen.numbers)
        row = [name]
        for kind in ("medium", "small"):
            chosen = held.kinds == kind
            for how in (np.max, np.mean):
                row.append(f"{rank(held.per_frame(found, how), held.relative, chosen):.2f}")
        of_kind = held.kinds[held.seen.structure] == "medium"
        row.append(f"{rank(found, held.error, of_kind):.2f}")
        middle = [np.median(distance(x.features, x.numbers)) for x in (known, stretched)]
        row += [f"{value / np.median(found):.2f}" for value in middle]
        rows.append(row)
    head = [
        "distance",
        "medium, largest",
        "medium, mean",
        "small, largest",
        "small, mean",
        "by atom",
        "taught crystals",
        "stretched by 20 %",
    ]
    return markdown_table(head, rows)


def error_by_distance(taught: Errors, held: Errors, space: TrainingSpace) -> str:
    """Return the table of errors in bins of distance; what was taught is the first line."""

    def distances(of: Errors) -> np.ndarray:
        return space.nearest(of.seen.features, of.seen.numbers)

    def row(name: str, of: Errors, low: float, high: float) -> list[str]:
        by_atom = distances(of)
        by_frame = of.per_frame(by_atom, np.max)
        cells = [name]
        for kind in ("medium", "small"):
            chosen = (of.kinds == kind) & (by_frame >= low) & (by_frame < high)
            cells += [str(chosen.sum()), percent(of.relative[chosen])]
        atoms = (of.kinds[of.seen.structure] == "medium") & (by_atom >= low) & (by_atom < high)
        cells += [str(atoms.sum()), percent(of.relative_by_atom[atoms])]
        return [*cells, f"{1e3 * np.median(of.error[atoms]):.0f}" if atoms.any() else ""]

    rows = [row("taught", taught, 0.0, np.inf)]
    for low, high in pairwise(BINS):
        name = f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} on"
        rows.append(row(name, held, low, high))
    head = ["distance", "crystals, medium", "error", "crystals, small", "error"]
    return markdown_table([*head, "atoms, medium", "error", "meV/A"], rows)


def percent(values: np.ndarray) -> str:
    """Write the median, and between which values half of all lie."""
    if not len(values):
        return ""
    low, middle, high = 100 * np.percentile(values, (25, 50, 75))
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def thresholds(taught: Errors, held: Errors, space: TrainingSpace) -> dict[str, float]:
    """Return the distances above which errors are twice what they are on what was taught.

    Errors are taken to grow with distance (isotonic regression of their logarithms); the
    threshold is where the fit crosses.
    """

    def crossing(distance: np.ndarray, error: np.ndarray, typical: float) -> float:
        order = np.argsort(distance)
        fitted = isotonic_regression(np.log(error[order])).x
        above = fitted > np.log(2 * typical)
        return float(distance[order][np.argmax(above)]) if above.any() else np.nan

    by_atom = space.nearest(held.seen.features, held.seen.numbers)
    by_frame = held.per_frame(by_atom, np.max)
    found = {}
    for kind in ("medium", "small"):
        one, two = taught.kinds == kind, held.kinds == kind
        typical = float(np.median(taught.relative[one]))
        found[f"crystals, {kind}"] = crossing(by_frame[two], held.relative[two], typical)
        one, two = one[taught.seen.structure], two[held.seen.structure]
        typical = float(np.median(taught.relative_by_atom[one]))
        found[f"atoms, {kind}"] = crossing(by_atom[two], held.relative_by_atom[two], typical)
    return found


@dataclass(frozen=True)
class Relaxed:
    """Distances of a crystal before and after it was relaxed."""

    name: str
    before: float
    after: float
    volume_change: float


def relaxed(potential: MacePotential, name: str, atoms: Atoms) -> Relaxed:
    """Relax a crystal and measure how far that leads."""
    settings = PhononSettings(relax_steps=300, allow_unconverged=True)
    crystal = make_crystal(atoms, settings.symprec)
    rest = relax(crystal, potential, settings)
    before, after = farthest(potential, crystal.atoms), farthest(potential, rest.atoms)
    return Relaxed(name, before, after, rest.volume_change)


def farthest(potential: MacePotential, atoms: Atoms) -> float:
    """Return the distance of the atom that is farthest from the training."""
    assert potential.training_space is not None
    return float(potential.training_space.distances(potential, atoms).max())


def known_crystals(potential: MacePotential, data: Path) -> str:
    """Return the table of crystals whose frequencies are compared with DFT."""
    rows = []
    taught = [farthest(potential, atoms) for atoms in ase.io.read(data / PHONONDB, ":")]
    low, middle, high = np.percentile(taught, (0, 50, 100))
    near = f"{middle:.2f} ({low:.2f} to {high:.2f})"
    rows.append([f"{len(taught)} of phonondb-103, taught", near, "", "0.47"])
    for name, error in NEVER_TAUGHT.items():
        atoms = to_ase(load_calculation(data / "phonopy-examples" / name).primitive)
        one = relaxed(potential, name, atoms)
        rows.append([name, f"{one.before:.2f}", f"{one.after:.2f}", f"{error:.2f}"])
    head = ["crystal", "distance", "relaxed", "error of frequencies (THz)"]
    return markdown_table(head, rows)


def falling_apart(potential: MacePotential, data: Path) -> str:
    """Relax small crystals of alexandria-binary, and return the table of what it does to them."""
    given = [one for one in read_sources([data / ALEXANDRIA]) if one.atoms is not None]
    small = [one for one in given if len(one.atoms) <= LARGEST]
    order = np.random.default_rng(1).permutation(len(small))[:SCREENED]
    found = [relaxed(potential, small[i].name, small[i].atoms) for i in order]
    change = np.abs([one.volume_change for one in found])
    before, after = (np.array([getattr(x, n) for x in found]) for n in ("before", "after"))
    rows = []
    for low, high in ((0.0, 0.05), (0.05, APART), (APART, np.inf)):
        chosen = (change >= low) & (change < high)
        cells = [f"{x:.2f}" for x in (np.median(before[chosen]), np.median(after[chosen]))]
        shares = [f"{100 * (x[chosen] > LIMIT).mean():.0f} %" for x in (before, after)]
        name = f"{100 * low:g} to {100 * high:g} %" if np.isfinite(high) else f"{100 * low:g} % on"
        rows.append([name, str(chosen.sum()), cells[0], cells[1], *shares])
    head = ["change of volume", "crystals", "distance", "relaxed", "above the limit", "relaxed"]
    by_rank = spearmanr(after, change)[0], spearmanr(before, change)[0]
    return (
        f"{markdown_table(head, rows)}\n\nRank correlation of the change of volume with the"
        f" distance: {by_rank[0]:.2f} after relaxing, {by_rank[1]:.2f} before."
    )


def structures(frames: list[Frame]) -> list[Atoms]:
    """Return the structures of frames, named by their crystals."""
    return structures_of(TrainingData(tuple(frames)))


def split(data: Path) -> tuple[list[Frame], list[Frame]]:
    """Return what the first lesson taught, frames near rest first, and what it held out."""
    recipe = Recipe.read(EMBEDDED_FOLDER / "recipe.yaml")
    files = [data / DISTILL, EMBEDDED_FOLDER / "simple_lattices.extxyz.gz"]
    labels = hold_out(join(read_labels(files)), recipe.validation_fraction, recipe.seed)
    trained_on, held = (labels.part(held_out=side).frames for side in (False, True))
    return sorted(trained_on, key=lambda frame: frame.kind != "small"), list(held)


def make(data: Path) -> None:
    """Write the file of the embedded potential."""
    path = EMBEDDED_FOLDER / FILE
    path.unlink(missing_ok=True)  # of other weights, it would forbid to load these
    potential = load_potential("embedded", device="cpu", dtype="float32")
    assert potential.info.sha256 == sha256_of(EMBEDDED_FOLDER)
    space = training_space_of(potential, structures(split(data)[0]))
    save_training_space(space, path)
    print(f"{path}: {len(space.codes)} environments, {path.stat().st_size} bytes")


def page(data: Path) -> str:
    """Measure everything."""
    head = f"{machine()}, {datetime.date.today()}."
    potential = load_potential("embedded", device="cpu", dtype="float32")
    space = potential.training_space
    assert space is not None
    frames, rest = split(data)
    taught = environments_of(potential, structures(frames))
    held = measure(potential, rest)
    some = np.random.default_rng(1).permutation(len(frames))[:SAMPLE]
    sample = measure(potential, [frames[i] for i in some])
    crystals = ase.io.read(data / PHONONDB, ":")
    wide = [atoms.copy() for atoms in crystals]
    for atoms in wide:
        atoms.set_cell(1.2 * atoms.cell.array, scale_atoms=True)
    table = compare_definitions(
        definitions(taught, space),
        held,
        environments_of(potential, crystals),
        environments_of(potential, wide),
    )
    limits = ", ".join(
        f"{where:.2f} ({name})" for name, where in thresholds(sample, held, space).items()
    )
    by_frame = held.per_frame(space.nearest(held.seen.features, held.seen.numbers), np.max)
    double = load_potential("embedded", device="cpu")
    return f"""{head} {len(space.codes)} environments of {len(space.elements)} elements, from
{len(frames)} frames; {len(rest)} frames of formulas that were held out.

## Definitions

Rank correlation with the error of forces on held-out crystals (root mean square, in units of the
crystal's own force; of the largest distance among its atoms or of the mean) and by atom (meV/A,
medium); last, the median distance of crystals of phonondb-103, taught, and of the same stretched,
in units of the median distance of held-out atoms.

{table}

## Error by distance

Median error in per cent of the crystal's force (and between which values half of all lie); of a
crystal the farthest atom counts. The first line is a sample of what was taught, wherever it lies.

{error_by_distance(sample, held, space)}

Errors are twice those of what was taught from these distances on:
{limits}.
The limit is {LIMIT:g}; {100 * (by_frame > LIMIT).mean():.0f} % of held-out frames are above it.

## Crystals with DFT frequencies

{known_crystals(double, data)}

## Crystals that fall apart

{SCREENED} crystals of alexandria-binary of up to {LARGEST} atoms, drawn at random, relaxed by the
embedded potential.

{falling_apart(double, data)}"""


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--make", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    with one_blas_thread():
        if arguments.make:
            make(arguments.data)
        write_page(page(arguments.data), "training_space.py", arguments.output)


if __name__ == "__main__":
    main()
