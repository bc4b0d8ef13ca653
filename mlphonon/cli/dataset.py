"""``mlphonon dataset``: what potentials are trained on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlphonon.cli.options import DeviceOption, PickleOption, QuietOption

if TYPE_CHECKING:
    from mlphonon.training.data.frame import TrainingData

app = typer.Typer(
    name="dataset",
    help="Make, collect and check what potentials are trained on.",
    no_args_is_help=True,
)


@app.command("generate")
def generate_structures(
    crystals: Annotated[list[Path], typer.Argument(help="Files of crystals that ASE reads.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the structures, a file each.")
    ],
    kind: Annotated[
        str, typer.Option(help="Some of rattle, strain, thermal, modes, finite; with commas.")
    ] = "rattle,strain",
    per_crystal: Annotated[int, typer.Option(min=1, help="Structures of each crystal.")] = 10,
    amplitude: Annotated[
        float, typer.Option(help="Displacement (A, standard deviation) of rattle.")
    ] = 0.03,
    strain: Annotated[float, typer.Option(help="Largest component of strain.")] = 0.03,
    temperature: Annotated[float, typer.Option(help="K, of thermal.")] = 300.0,
    max_atoms: Annotated[int, typer.Option(help="Atoms of a structure.")] = 32,
    min_length: Annotated[float, typer.Option(help="Height of supercells of finite, A.")] = 10.0,
    potential: Annotated[
        str, typer.Option(help="Whose phonons thermal and modes follow.")
    ] = "embedded",
    substitute: Annotated[
        int, typer.Option(min=0, help="Crystals to add by exchanging elements for relatives.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same structures.")] = 1,
    quiet: QuietOption = False,
) -> None:
    """Make structures to be labelled: crystals repeated, displaced and strained."""
    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.training.data.preparation import Preparation
    from mlphonon.training.data.settings import Distortions

    distortions = Distortions.make(
        kinds=tuple(part.strip() for part in kind.split(",") if part.strip()),
        per_crystal=per_crystal,
        amplitude=amplitude,
        strain=strain,
        temperature=temperature,
        max_atoms=max_atoms,
        min_length=min_length,
        seed=seed,
    )
    prepare = Preparation(distortions, potential, substitute, TerminalReporter(quiet))
    count = prepare.write(crystals, output)
    typer.echo(f"{count} structures -> {output}")


@app.command("label")
def label_structures(
    structures: Annotated[
        list[Path], typer.Argument(help="Folder of 'dataset generate', or files that ASE reads.")
    ],
    teacher: Annotated[
        str,
        typer.Option(
            "--with",
            help="A potential, or ase:NAME:SETTINGS.yaml, a DFT code by its name in ASE.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder, a file for each file.")],
    directions: Annotated[
        int,
        typer.Option(min=0, help="Second derivatives along so many random directions, as well."),
    ] = 0,
    device: DeviceOption = "auto",
    allow_pickle: PickleOption = False,
    seed: Annotated[int, typer.Option(help="Of the directions.")] = 1,
    quiet: QuietOption = False,
) -> None:
    """Label structures by a potential or a DFT code; the same command resumes what was stopped."""
    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.training.data.label_files import files_to_label, label_files, load_teacher

    files = files_to_label(structures)
    labeller = load_teacher(teacher, output / "work", device, allow_pickle)
    done = label_files(files, labeller, output, directions, seed, TerminalReporter(quiet))
    name = labeller.info.name
    typer.echo(f"{done} files labelled by {name}, {len(files) - done} were -> {output}")


@app.command("build")
def build_dataset(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Folders or files of phonopy and phono3py, vasprun.xml, extxyz, ASE databases,"
            " whatever ASE reads with energies and forces; other data sets (.h5)."
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write.")] = Path(
        "data.h5"
    ),
    held_out: Annotated[
        list[Path] | None,
        typer.Option(
            help="The same, of crystals that nothing is learned from; may be given again."
        ),
    ] = None,
    fraction: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of formulas to hold out, else.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Which are held out.")] = 1,
    functional: Annotated[
        str, typer.Option(help="Density functional of files that do not say, such as PBE.")
    ] = "unknown",
    code: Annotated[str, typer.Option(help="Program of files that do not say.")] = "unknown",
    mixed: Annotated[bool, typer.Option("--mixed", help="Allow several functionals.")] = False,
) -> None:
    """Collect labelled structures and force constants, check them, and split them by formula."""
    from mlphonon.errors import TrainingError
    from mlphonon.training.data.checks import check_data, check_no_leak
    from mlphonon.training.data.frame import TrainingData, join
    from mlphonon.training.data.reading import read_sources
    from mlphonon.training.data.store import write_data

    data = join(read_sources(sources, functional, code))
    if held_out:
        held = join(read_sources(held_out, functional, code))
        check_no_leak(data, held)
        names = data.held_out | frozenset(held.formulas)
        data = TrainingData(data.frames + held.frames, data.curvatures + held.curvatures, names)
    elif not data.held_out and fraction > 0:
        if len(data.formulas) < 2:
            raise TrainingError(
                f"there is only {', '.join(data.formulas) or 'nothing'}, and something is to be"
                " held out",
                fix="give crystals of another formula, --held-out FILE, or --fraction 0",
            )
        data = data.hold_out(fraction, seed)
    for note in check_data(data, mixed):
        print(f"mlphonon: {note}", file=sys.stderr)
    sha256 = write_data(data, output)
    for line in describe(data):
        typer.echo(line)
    typer.echo(f"-> {output} (SHA-256 {sha256})")


@app.command("info")
def show_dataset(
    path: Annotated[Path, typer.Argument(help="File of 'mlphonon dataset build'.")],
) -> None:
    """Say what a data set holds."""
    from mlphonon.training.data.store import digest, read_data

    data = read_data(path)
    typer.echo(f"{path} (SHA-256 {digest(path)})")
    for line in describe(data):
        typer.echo(line)


def describe(data: TrainingData) -> list[str]:
    """Return lines on a data set: how much of what, from where, and what is held out."""
    from collections import Counter

    kinds = Counter(frame.kind for frame in data.frames)
    origins = Counter(f"{o.functional}, {o.code}" for o in data.origins)
    n_atoms = sum(len(frame.atoms) for frame in data.frames)
    with_energy = sum(frame.energy is not None for frame in data.frames)
    with_stress = sum(frame.stress is not None for frame in data.frames)
    curved = [frame for frame in data.frames if len(frame.directions)]
    held = data.part(held_out=True)
    elements = {z for frame in data.frames for z in frame.atoms.numbers.tolist()}
    elements |= {z for one in data.curvatures for z in one.unitcell.numbers.tolist()}
    listed = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items())) or "none"
    return [
        f"  {len(data.frames)} frames of {n_atoms} atoms ({listed}), {with_energy} with energy,"
        f" {with_stress} with stress",
        f"  {len(data.curvatures)} crystals with force constants; {len(curved)} frames with second"
        f" derivatives along {sum(len(frame.directions) for frame in curved)} directions",
        f"  {len(data.formulas)} formulas of {len(elements)} elements; held out:"
        f" {', '.join(sorted(held.formulas)[:8]) or 'none'}"
        f"{' ...' if len(held.formulas) > 8 else ''}"
        f" ({len(held.frames)} frames, {len(held.curvatures)} crystals with force constants)",
        *(f"  from {name}: {number}" for name, number in sorted(origins.items())),
    ]
