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
    from mlphonon.evaluation.references import SETS

    for reference in SETS.values():
        typer.echo(
            f"{reference.name}\t{reference.functional}\t{reference.description}"
            f"\t{reference.licence}\t{reference.source}"
        )
    typer.echo("folder\tany\tphonopy calculations of one's own, in --data\t\t")


@app.command("run")
def run_benchmark(
    reference: Annotated[str, typer.Argument(help="Name of a reference set, or: folder.")],
    data: Annotated[Path, typer.Option(help="Folder that holds its files, or DFT of one's own.")],
    potential: Annotated[
        list[str], typer.Option(help="Name or file; several potentials: give it again.")
    ] = ["embedded"],  # noqa: B006  typer wants a list and leaves it alone
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder; each potential gets one in it.")
    ] = Path("results"),
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first crystals.")] = None,
    displacement: Annotated[
        float | None, typer.Option(help="Length of the displacements, A [0.03].")
    ] = None,
    no_relax: Annotated[
        bool, typer.Option("--no-relax", help="Take the structure of DFT.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    dtype: Annotated[str, typer.Option(help="float64 or float32.")] = "float64",
    trust: Annotated[
        bool, typer.Option("--trust", help="Load a pickled model that nothing vouches for.")
    ] = False,
) -> None:
    """Compute the phonons of every crystal of a set, and compare them with DFT's.

    What was computed before is kept: a run that was ended goes on where it stopped.
    """
    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.evaluation.protocol import make_protocol
    from mlphonon.evaluation.references import find_reference, read_reference
    from mlphonon.evaluation.runner import make_manifest, run
    from mlphonon.potentials.loading import load_potential

    found = find_reference(reference, data)
    protocol = make_protocol(
        relax=not no_relax, **({} if displacement is None else {"displacement": displacement})
    )
    crystals = list(read_reference(found, data, limit))
    reporter = TerminalReporter()
    for name in potential:
        with prints_dropped():
            engine = load_potential(name, device=device, dtype=dtype, trust=trust)
            manifest = make_manifest(found, engine, protocol)
            folder = output / f"{found.name}_{engine.info.name}"
            with reporter.step(f"{engine.info.name} on {found.name}", len(crystals)) as count:
                scores = run(crystals, engine, manifest, folder, lambda _score: count(1))
        failed = sum(score.failure is not None for score in scores)
        typer.echo(f"{folder}: {len(scores)} crystals, {failed} failed")


@app.command("compare")
def compare_results(
    folders: Annotated[list[Path], typer.Argument(help="Folders that 'run' wrote.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Markdown file to write, with a figure beside it."),
    ] = None,
) -> None:
    """Put results of several potentials into one table."""
    from mlphonon.evaluation.table import compare, read_runs
    from mlphonon.report.accuracy import plot_cumulative_errors
    from mlphonon.report.figures import save_figure

    runs = read_runs(folders)
    text = compare(runs)
    if output is None:
        typer.echo(text, nl=False)
        return
    errors = {
        str(one.manifest.potential["name"]): one.values("mae_THz") for one in runs if one.computed
    }
    if errors:
        quantity = "mean absolute error of frequencies (THz)"
        figure = save_figure(plot_cumulative_errors(errors, quantity), output.with_suffix(".png"))
        text += f"\n![Share of crystals with a smaller error]({figure.name})\n"
    output.write_text(text, encoding="utf-8")
    typer.echo(output)
