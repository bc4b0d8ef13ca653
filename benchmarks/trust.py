"""Do results stay inside the errors that they state? Calibrates the verdict, and judges it.

    python benchmarks/trust.py DATA RESULTS -o benchmarks/trust.md

DATA holds phonondb103/ and alexandria-binary/. Phonons of every crystal are computed as a user
would have them (relaxed by the potential, a supercell of 15 A) and compared with DFT; what is in
RESULTS is kept, so it may be ended and started again. Half of the formulas of phononDB-103
calibrate (mlphonon/trust/calibration.toml is written), the others and alexandria-binary judge. With
--taught FILE.extxyz.gz (training data of the embedded potential) its line is split by whether it
knew the formula. --compute SET:POTENTIAL... computes without writing the page.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import gcd
from pathlib import Path

import numpy as np
from tables import machine, markdown_table, write_page

import mlphonon.trust.calibration
from mlphonon import compute_phonons, load_potential
from mlphonon.errors import MlphononError
from mlphonon.evaluation.manifest import make_manifest
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.references.catalogue import find_reference, select_crystals
from mlphonon.evaluation.references.files import file_digests
from mlphonon.evaluation.references.reference import Crystals
from mlphonon.evaluation.reliability import (
    CalibrationPoint,
    calibrate,
    calibration_points,
    curve,
    is_for_calibration,
    reliability,
)
from mlphonon.evaluation.runner import in_this_process, run
from mlphonon.evaluation.scores import Scores
from mlphonon.report.figures import save_figure
from mlphonon.trust.calibration import FILE, Calibration

PROTOCOL = Protocol(structures=("relaxed",), supercell="own", min_length=15.0)

FREQUENCIES, HEAT = "phonondb-103", "alexandria-binary"

POTENTIALS = {"embedded": "float64", "nequix-oam-1-pft": "float32", "chgnet": "float32"}
"""Each with the precision that it was published in."""

MOST_ATOMS, SAMPLE = 12, 60
"""Of alexandria-binary: crystals of so many atoms at most, and how many of them, a fair sample."""

MOST_UNTAUGHT = 24
"""Atoms of the crystals that are added for the embedded potential: those it was not taught."""

LEVELS = np.linspace(0.3, 1.0, 29)[:-1]


def choose(name: str, data: Path, taught: frozenset[str]) -> Crystals:
    """Return the crystals of a set that are computed."""
    crystals = select_crystals(find_reference(name), data)
    if name != HEAT:
        return crystals
    sizes = {key: read() for key, read in crystals.items()}
    small = [key for key, one in sizes.items() if len(one.atoms) <= MOST_ATOMS][:SAMPLE]
    new = [
        key
        for key, one in sizes.items()
        if taught
        and len(one.atoms) <= MOST_UNTAUGHT
        and formula(one.atoms.get_chemical_symbols()) not in taught
    ]
    return {key: crystals[key] for key in dict.fromkeys([*small, *new])}


def formula(symbols: Sequence[str]) -> str:
    """Return a reduced formula in the order of the alphabet."""
    counts = Counter(symbols)
    divisor = reduce(gcd, counts.values())
    return "".join(f"{s}{counts[s] // divisor}" for s in sorted(counts))


def read_formulas(path: Path) -> frozenset[str]:
    """Return the formulas of an extxyz file."""
    found = set()
    with gzip.open(path, "rt") as file:
        while line := file.readline():
            file.readline()
            found.add(formula([file.readline().split(None, 1)[0] for _ in range(int(line))]))
    return frozenset(found)


@dataclass(frozen=True)
class Place:
    """Where data and results are, and what the embedded potential was taught."""

    data: Path
    results: Path
    taught: frozenset[str]

    def folder(self, reference: str, potential: str) -> Path:
        """Return the folder of one potential's results on one set."""
        return self.results / f"{reference}_{potential}"

    def compute(self, reference: str, potential: str) -> None:
        """Compute what is missing."""
        engine = load_potential(potential, dtype=POTENTIALS[potential])
        found = find_reference(reference)
        manifest = make_manifest(found.name, file_digests(found, self.data), engine, PROTOCOL)
        crystals = choose(
            reference, self.data, self.taught if potential == "embedded" else frozenset()
        )
        run(
            crystals,
            in_this_process(engine, manifest),
            manifest,
            self.folder(reference, potential),
            lambda score: print(f"{potential} {score.key} {score.seconds:.0f} s", flush=True),
        )

    def read(self, reference: str, potential: str) -> list[CalibrationPoint]:
        """Return the results that there are, none if there are none."""
        folder = self.folder(reference, potential)
        return calibration_points(Scores.read(folder).crystals) if folder.is_dir() else []

    def knew(self, one: CalibrationPoint) -> bool:
        """Tell whether the embedded potential was taught a formula."""
        from ase.formula import Formula

        counts = Formula(one.formula).count()
        return formula([s for s, n in counts.items() for _ in range(n)]) in self.taught


def cost() -> str:
    """Return what the verdict costs on top of a calculation, in a table."""
    rows = []
    for name in ("NaCl", "Si", "quartz"):
        path = Path(__file__).parents[1] / "examples" / f"{name}.cif"
        phonons = compute_phonons(path)
        summed = sum(phonons.record.seconds.values()) - phonons.record.seconds["potential"]
        measuring = phonons.record.seconds["evidence"]
        begun = time.perf_counter()
        phonons.bands(), phonons.dos(projected=True), phonons.thermal(), phonons.stability
        drawn = time.perf_counter()
        verdict = phonons.trust.verdict
        judging = time.perf_counter() - drawn
        whole = summed - measuring + drawn - begun
        rows.append(
            [
                name,
                f"{whole:.2f}",
                f"{measuring:.2f}",
                f"{judging:.2f}",
                f"{100 * (measuring + judging) / whole:.0f} %",
                verdict,
            ]
        )
    head = ["crystal", "phonons (s)", "asking the potential", "judging", "on top", "verdict"]
    return markdown_table(head, rows)


def share(part: int, whole: int) -> str:
    """Say how many of how many."""
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "none"


def page(place: Place, output: Path | None) -> str:
    """Return what is said of all potentials; writes the calibration and the figure."""
    stated: dict[str, Calibration] = {}
    bounds, judged, doubts = [], [], []
    curves: dict[str, np.ndarray] = {}
    for name in POTENTIALS:
        results = place.read(FREQUENCIES, name)
        if not results:
            continue
        mine = [one for one in results if is_for_calibration(one.formula)]
        others = [one for one in results if not is_for_calibration(one.formula)]
        sha256 = Scores.read(place.folder(FREQUENCIES, name)).manifest.potential.get("sha256")
        source = (
            f"phononDB-103 (PBE, no non-analytical term), {len(mine)} crystals,"
            f" {datetime.date.today()}"
        )
        heat = place.read(HEAT, name)
        doubts += [
            [name, one.key, one.headline, f"{one.errors.get(key, np.nan):.3g}"]
            for several, key in ((results, "frequency"), (heat, "heat_capacity"))
            for one in several
            if not one.is_trusted
        ]
        found = calibrate(mine, source, sha256)
        if found is None:
            number = sum(one.is_trusted for one in mine)
            bounds.append([name, f"{number} of {len(mine)}", "too few", *["-"] * 3])
            continue
        stated[name] = found
        bounds.append(
            [
                name,
                f"{found.crystals} of {len(mine)}",
                f"{100 * found.frequency:.1f} %",
                f"{found.heat_capacity:.2f}",
                f"{found.entropy:.2f}",
                f"{found.free_energy:.2f}",
            ]
        )
        groups = [("phononDB-103, frequencies", others, "frequency")]
        groups += [
            (f"phononDB-103, {what}", others, key)
            for what, key in (("C_V", "heat_capacity"), ("S", "entropy"), ("F", "free_energy"))
        ]
        if name == "embedded" and place.taught:
            knew = [one for one in heat if place.knew(one)]
            new = [one for one in heat if not place.knew(one)]
            groups.append(("Alexandria, C_V, formulas taught", knew, "heat_capacity"))
            groups.append(("Alexandria, C_V, formulas not taught", new, "heat_capacity"))
        elif heat:
            groups.append(("Alexandria, C_V", heat, "heat_capacity"))
        for what, several, key in groups:
            held = reliability(several, found, key)
            judged.append(
                [
                    name,
                    what,
                    share(held.trusted, held.results),
                    share(held.inside, held.trusted),
                    share(held.others_inside, held.results - held.trusted),
                ]
            )
        trusted = [
            [one.errors["frequency"] for one in several if one.is_trusted]
            for several in (mine, others)
        ]
        curves[name] = curve(trusted[0], trusted[1], LEVELS)
    write_calibration(stated)
    if output is not None:
        plot(curves, output.with_suffix(".png"))
    return "\n\n".join(
        [
            f"{machine()}, {datetime.date.today()}.",
            "## What trusted results state",
            "In 95 of 100 trusted results the error is below: the mean over all modes, of the root"
            " mean square frequency; C_V and S (J/K) and F (kJ) at 300 K per mole of atoms.",
            markdown_table(["potential", "trusted", "frequencies", "C_V", "S", "F"], bounds),
            "## How it held on other crystals",
            markdown_table(
                ["potential", "judged by", "trusted", "of these inside", "of the others inside"],
                judged,
            ),
            *([f"![Reliability]({output.with_suffix('.png').name})"] if output is not None else []),
            "## What it costs",
            "By the embedded potential, loaded before; phonons with bands, densities of states and"
            " thermal properties, without writing them.",
            cost(),
            "## What was not trusted",
            "The error is that of frequencies (share of the root mean square) or, of"
            " Alexandria's, that of C_V.",
            markdown_table(["potential", "crystal", "verdict", "error"], doubts),
        ]
    )


def write_calibration(stated: dict[str, Calibration]) -> None:
    """Put the statements into the file that ships."""
    lines = ["# Written by benchmarks/trust.py: see mlphonon/trust/calibration.py."]
    for name, found in stated.items():
        lines.append(f'\n["{name}"]')
        for key, value in found.model_dump(exclude_none=True).items():
            lines.append(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value:.4g}")
    target = Path(mlphonon.trust.calibration.__file__).with_name(FILE)
    target.write_text("\n".join(lines) + "\n")


def plot(curves: dict[str, np.ndarray], path: Path) -> None:
    """Draw the share of errors inside the bound of each confidence, on crystals kept apart."""
    from matplotlib.figure import Figure

    from mlphonon.report.panels import PALETTE, house_style

    with house_style():
        figure = Figure(figsize=(4.2, 4.0), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="0.6", lw=0.8)
        for i, (name, found) in enumerate(curves.items()):
            axes.plot(LEVELS, found, color=PALETTE[i], label=name, drawstyle="steps-post")
        axes.axvline(0.95, color="0.6", lw=0.8, ls=":")
        axes.set(xlim=(LEVELS[0], 1), ylim=(LEVELS[0], 1.01))
        axes.set_xlabel("confidence that is stated")
        axes.set_ylabel("share of trusted results inside")
        axes.set_title("Frequencies, phononDB-103, crystals kept apart", loc="left")
        axes.legend(frameon=False, loc="lower right")
    save_figure(figure, path)


def main() -> None:
    """Compute what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--taught", type=Path)
    parser.add_argument("--compute", nargs="*", metavar="SET:POTENTIAL")
    parser.add_argument("--page-only", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    taught = read_formulas(options.taught) if options.taught else frozenset()
    place = Place(options.data, options.results, taught)
    parts = options.compute or [f"{s}:{p}" for p in POTENTIALS for s in (FREQUENCIES, HEAT)]
    for part in [] if options.page_only else parts:
        reference, _, potential = part.partition(":")
        try:
            place.compute(reference, potential)
        except MlphononError as error:
            raise SystemExit(f"{part}: {error}") from error
    if not options.compute:
        write_page(page(place, options.output), "trust.py", options.output)


if __name__ == "__main__":
    main()
