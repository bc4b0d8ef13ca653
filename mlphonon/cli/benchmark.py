"""``mlphonon benchmark``: how right potentials are, against DFT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.chatter import prints_dropped
from mlphonon.cli.options import (
    POTENTIAL_PANEL,
    DeviceOption,
    DtypeOption,
    HeadOption,
    PickleOption,
    QuietOption,
    given,
)

if TYPE_CHECKING:
    from mlphonon.evaluation.protocol import Protocol
    from mlphonon.evaluation.references.reference import Crystals
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter

PROTOCOL_PANEL = "Protocol"
MOST_WORKERS = 1024

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


ReferenceArgument = Annotated[str, typer.Argument(help="Name of a reference set, or: folder.")]
PotentialsArgument = Annotated[
    list[str] | None, typer.Argument(help="Names or files of potentials; \\[embedded].")
]
PotentialOption = Annotated[
    list[str] | None,
    typer.Option(help="The same; may be given again.", rich_help_panel=POTENTIAL_PANEL),
]
DataOption = Annotated[
    Path | None,
    typer.Option(help="Folder that holds its files, or DFT of one's own; else downloaded."),
]
FolderOption = Annotated[
    Path, typer.Option("-o", "--output", help="Folder; each potential gets one in it.")
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Only so many crystals, a fair sample of all.")
]
WorkersOption = Annotated[
    int, typer.Option(min=1, max=MOST_WORKERS, help="Processes that share the crystals.")
]
DisplacementOption = Annotated[
    float | None,
    typer.Option(help="Length of the displacements, A [0.03].", rich_help_panel=PROTOCOL_PANEL),
]
SupercellOption = Annotated[
    str | None,
    typer.Option(help="\\[reference]: that of DFT; or own.", rich_help_panel=PROTOCOL_PANEL),
]
MinLengthOption = Annotated[
    float | None,
    typer.Option(help="Least height of our own supercell, A [12].", rich_help_panel=PROTOCOL_PANEL),
]
StructureOption = Annotated[
    list[str] | None,
    typer.Option(
        help="relaxed (by the potential) or dft; \\[both], the first is ranked by.",
        rich_help_panel=PROTOCOL_PANEL,
    ),
]
ConductivityOption = Annotated[
    bool,
    typer.Option(
        "--conductivity",
        help="Heat conductivity too, where DFT's is known: slow.",
        rich_help_panel=PROTOCOL_PANEL,
    ),
]
RetryOption = Annotated[
    bool, typer.Option("--retry-failed", help="Compute those again that failed.")
]


@app.command("run")
def run_benchmark(
    reference: ReferenceArgument,
    potentials: PotentialsArgument = None,
    potential: PotentialOption = None,
    data: DataOption = None,
    output: FolderOption = Path("results"),
    limit: LimitOption = None,
    workers: WorkersOption = 1,
    displacement: DisplacementOption = None,
    supercell: SupercellOption = None,
    min_length: MinLengthOption = None,
    structure: StructureOption = None,
    conductivity: ConductivityOption = False,
    retry_failed: RetryOption = False,
    head: HeadOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float64",
    allow_pickle: PickleOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute the phonons of every crystal of a set, and compare them with DFT's.

    What was computed before is kept: a run that was ended goes on where it stopped.
    """
    from functools import partial

    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.evaluation.protocol import Protocol
    from mlphonon.evaluation.references.catalogue import find_reference, select_crystals
    from mlphonon.evaluation.references.download import data_folder
    from mlphonon.evaluation.references.files import check_files, file_digests
    from mlphonon.potentials.loading import check_name, load_potential

    protocol = Protocol.make(
        **given(
            displacement=displacement,
            structures=structure,
            supercell=supercell,
            min_length=min_length,
            conductivity=True if conductivity else None,
        )
    )
    reporter = TerminalReporter(quiet)
    found = find_reference(reference, data)
    place = data_folder(found, data, progress=not quiet)
    for note in check_files(found, place):
        reporter.say(note)
    bench = _Bench(
        found.name, file_digests(found, place), select_crystals(found, place, limit), protocol
    )
    names = [*(potential or ()), *(potentials or ())] or ["embedded"]
    for name in names:
        check_name(name)
    options: dict[str, Any] = {"head": head, "device": device, "dtype": dtype}
    for name in names:
        with prints_dropped():
            load = partial(load_potential, name, allow_pickle=allow_pickle, **options)
            line = bench.run(load, output, workers, retry_failed, reporter)
        typer.echo(line)


@dataclass(frozen=True)
class _Bench:
    """What potentials are run over: a reference set, its files and crystals, and the protocol."""

    reference: str
    files: dict[str, str]
    crystals: Crystals
    protocol: Protocol

    def run(
        self,
        load: Callable[[], Potential],
        output: Path,
        workers: int,
        retry_failed: bool,
        reporter: Reporter,
    ) -> str:
        """Run one potential; return a line that says where its results are."""
        from mlphonon.evaluation.manifest import make_manifest
        from mlphonon.evaluation.references.keys import make_key
        from mlphonon.evaluation.runner import in_this_process, in_workers, run

        engine = load()
        manifest = make_manifest(self.reference, self.files, engine, self.protocol)
        folder = output / f"{self.reference}_{make_key(engine.info.name)}"
        alone = workers == 1
        scorer = in_this_process(engine, manifest) if alone else in_workers(load, manifest, workers)
        with reporter.step(f"{engine.info.name} on {self.reference}", len(self.crystals)) as count:
            scores = run(
                self.crystals, scorer, manifest, folder, lambda _score: count(1), retry_failed
            )
        failed = sum(score.failed for score in scores)
        return f"{folder}: {len(scores)} crystals, {failed} failed"


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
