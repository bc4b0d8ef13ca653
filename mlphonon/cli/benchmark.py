"""``mlphonon benchmark``: how right potentials are, against DFT."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlphonon.cli.chatter import prints_dropped

app = typer.Typer(
    name="benchmark",
    help="Compare phonons of potentials with DFT.",
    no_args_is_help=True,
)


@app.command("list")
def list_references() -> None:
    """List the reference sets."""
    from mlphonon.evaluation.references.catalogue import SETS

    for reference in SETS.values():
        typer.echo(
            f"{reference.name}\t{reference.functional}\t{reference.description}"
            f"\t{reference.licence}\t{reference.source}"
        )
    typer.echo("folder\tany\tphonopy calculations of one's own, in --data\t\t")


@app.command("run")
def run_benchmark(
    reference: Annotated[str, typer.Argument(help="Name of a reference set, or: folder.")],
    potentials: Annotated[
        list[str] | None, typer.Argument(help="Names or files of potentials; \\[embedded].")
    ] = None,
    potential: Annotated[
        list[str] | None, typer.Option(help="The same; may be given again.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder that holds its files, or DFT of one's own; else downloaded."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder; each potential gets one in it.")
    ] = Path("results"),
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many crystals, a fair sample of all.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the crystals.")] = 1,
    displacement: Annotated[
        float | None, typer.Option(help="Length of the displacements, A [0.03].")
    ] = None,
    supercell: Annotated[
        str | None, typer.Option(help="\\[reference]: that of DFT; or own.")
    ] = None,
    min_length: Annotated[
        float | None, typer.Option(help="Least height of our own supercell, A [12].")
    ] = None,
    structure: Annotated[
        list[str] | None,
        typer.Option(help="relaxed (by the potential) or dft; \\[both], the first is ranked by."),
    ] = None,
    conductivity: Annotated[
        bool,
        typer.Option("--conductivity", help="Heat conductivity too, where DFT's is known: slow."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute those again that failed.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Load a pickled model that nothing vouches for.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing on the way.")] = False,
) -> None:
    """Compute the phonons of every crystal of a set, and compare them with DFT's.

    What was computed before is kept: a run that was ended goes on where it stopped.
    """
    from functools import partial

    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.evaluation.manifest import make_manifest
    from mlphonon.evaluation.protocol import Protocol
    from mlphonon.evaluation.references.catalogue import find_reference, select_crystals
    from mlphonon.evaluation.references.download import data_folder
    from mlphonon.evaluation.references.files import check_files, file_digests
    from mlphonon.evaluation.references.keys import make_key
    from mlphonon.evaluation.runner import in_this_process, in_workers, run
    from mlphonon.potentials.loading import check_name, load_potential

    reporter = TerminalReporter(quiet)
    changes = {
        "displacement": displacement,
        "structures": structure,
        "supercell": supercell,
        "min_length": min_length,
        "conductivity": True if conductivity else None,
    }
    protocol = Protocol.make(**{name: v for name, v in changes.items() if v is not None})
    found = find_reference(reference, data)
    place = data_folder(found, data, progress=not quiet)
    for note in check_files(found, place):
        reporter.say(note)
    files, crystals = file_digests(found, place), select_crystals(found, place, limit)
    names = [*(potential or ()), *(potentials or ())] or ["embedded"]
    for name in names:
        check_name(name)
    for name in names:
        with prints_dropped():
            load = partial(
                load_potential, name, device=device, dtype=dtype, allow_pickle=allow_pickle
            )
            engine = load()
            manifest = make_manifest(found.name, files, engine, protocol)
            folder = output / f"{found.name}_{make_key(engine.info.name)}"
            scorer = (
                in_this_process(engine, manifest)
                if workers == 1
                else in_workers(load, manifest, workers)
            )
            with reporter.step(f"{engine.info.name} on {found.name}", len(crystals)) as count:
                scores = run(
                    crystals, scorer, manifest, folder, lambda _score: count(1), retry_failed
                )
        failed = sum(score.failed for score in scores)
        typer.echo(f"{folder}: {len(scores)} crystals, {failed} failed")


@app.command("compare")
def compare_results(
    folders: Annotated[list[Path], typer.Argument(help="Folders that 'run' wrote.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="Markdown file to write, with figures in a folder beside it; what stands in it"
            " above the tables is kept.",
        ),
    ] = None,
) -> None:
    """Put results of several potentials into one table, with figures."""
    from mlphonon.evaluation.scores import read_together
    from mlphonon.report.accuracy.tables import compare

    runs = read_together(folders)
    text = compare(runs)
    if output is None:
        typer.echo(text, nl=False)
        return
    from mlphonon.report.accuracy.page import write_comparison

    write_comparison(runs, text, output)
    typer.echo(output)
