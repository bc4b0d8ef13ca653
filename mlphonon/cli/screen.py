"""``mlphonon screen``: phonons of thousands of crystals, kept in a database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.chatter import prints_dropped
from mlphonon.cli.options import (
    POTENTIAL_PANEL,
    DtypeOption,
    HeadOption,
    PickleOption,
    QuietOption,
    given,
)
from mlphonon.cli.signals import terminated_gently

if TYPE_CHECKING:
    from mlphonon.reporter import Reporter
    from mlphonon.screening.campaign import Campaign
    from mlphonon.screening.crystals.intake import Intake
    from mlphonon.screening.crystals.sources import Candidate
    from mlphonon.screening.database.answers import Status
    from mlphonon.screening.plan import CampaignPlan
    from mlphonon.screening.site import Site
    from mlphonon.screening.workers.outcome import Outcome

app = typer.Typer(
    name="screen", help="Compute and rank the phonons of many crystals.", no_args_is_help=True
)

StoreArgument = Annotated[
    str, typer.Argument(help="File of the campaign's database, or its URL (postgresql://...).")
]
CalculationOption = Annotated[
    str | None, typer.Option(help="Start of the digest of a calculation, if there are several.")
]
SourcesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Folders, files ASE reads, ASE databases, JSON with pymatgen structures; none to"
        " go on with what is there."
    ),
]
StoreOption = Annotated[
    str, typer.Option(help="File of the database, or its URL (postgresql://...).")
]
FolderOption = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="Folder of the phonons; \\[the store's name, no suffix]."),
]
PotentialOption = Annotated[
    list[str] | None,
    typer.Option(help="Name, file or folder; one \\[embedded].", rich_help_panel=POTENTIAL_PANEL),
]
WorkersOption = Annotated[int | None, typer.Option(min=1, help="Processes [1].")]
SiteOption = Annotated[
    Path | None, typer.Option(help="YAML of the site: workers, limits, a cluster.")
]
SettingsOption = Annotated[
    Path | None, typer.Option(help="YAML of the calculation: min_length, mesh, ...")
]
TemperaturesOption = Annotated[str, typer.Option(help="At which thermal properties are stored, K.")]
PropertyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--property",
        help="Phonons at a temperature too: sscha(300) or effective(300), with settings as in"
        " sscha(300, pressure=0); may be given again.",
    ),
]
LimitOption = Annotated[
    int | None, typer.Option(min=1, help="Only so many of the structures, the first.")
]
DeviceOption = Annotated[
    str | None, typer.Option(help="auto, cpu or cuda.", rich_help_panel=POTENTIAL_PANEL)
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Enter the crystals and say what they cost, no more.")
]

WORST = 20
"""Failures that are listed of each cause."""

SAID_EVERY = 10.0
"""Seconds between two lines on how many crystals have come in."""


@app.command("run")
def run_screen(
    sources: SourcesArgument = None,
    store: StoreOption = "campaign.db",
    output: FolderOption = None,
    potential: PotentialOption = None,
    workers: WorkersOption = None,
    config: SiteOption = None,
    settings: SettingsOption = None,
    temperatures: TemperaturesOption = "300",
    properties: PropertyOption = None,
    limit: LimitOption = None,
    dtype: DtypeOption = "float64",
    head: HeadOption = None,
    device: DeviceOption = None,
    allow_pickle: PickleOption = False,
    dry_run: DryRunOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute the phonons of every crystal; the same command goes on with what was stopped."""
    from itertools import islice

    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.screening.calculation import PotentialSource, read_temperatures
    from mlphonon.screening.campaign import Campaign
    from mlphonon.screening.crystals.sources import check_paths, read_sources
    from mlphonon.screening.plan import CampaignPlan
    from mlphonon.screening.properties import read_properties
    from mlphonon.settings import PhononSettings

    site = _site(config, given(workers=workers, device=device))
    plan = CampaignPlan(
        PotentialSource(_only(potential), site.device, dtype, head, allow_pickle),
        PhononSettings() if settings is None else PhononSettings.read(settings),
        read_temperatures(temperatures),
        site,
        read_properties(properties or ()),
    )
    reporter = TerminalReporter(quiet)
    with prints_dropped():
        crystals = islice(read_sources(check_paths(sources or [])), limit)
        campaign = Campaign(store, output, create=bool(sources), reporter=reporter)
        if dry_run:
            _enter_only(campaign, plan, crystals, reporter)
        else:
            _compute(campaign, plan, crystals, reporter)
        digest = campaign.calculation(plan).digest()
    typer.echo("\n".join(_status_lines(campaign.status(digest))))


def _only(potentials: list[str] | None) -> Any:
    """Return the one potential; several are passed on, to be refused."""
    asked = potentials or ["embedded"]
    return asked[0] if len(asked) == 1 else asked


def _enter_only(
    campaign: Campaign, plan: CampaignPlan, crystals: Iterator[Candidate], reporter: Reporter
) -> None:
    from mlphonon.force_constants.planning import describe_duration

    reporter.say(campaign.add(plan, crystals).describe())
    if plan.site.parsl is None:
        seconds = campaign.predict(plan)
        took = "of unknown length" if seconds is None else f"of about {describe_duration(seconds)}"
        reporter.say(f"work {took} ahead")


def _compute(
    campaign: Campaign, plan: CampaignPlan, crystals: Iterator[Candidate], reporter: Reporter
) -> None:
    """Compute crystals as they come in; then, as it is known how many there are, with a bar."""
    from contextlib import closing

    intake = _IntakeLines(reporter)
    outcomes = campaign.compute(plan, crystals=crystals, progress=intake.advance, at_end=intake.end)
    # Closed also where it is interrupted, so that others get at once what it holds.
    with terminated_gently(), closing(outcomes):
        with reporter.step("screening, as crystals come in", None) as advance:
            for outcome in outcomes:
                advance(1)
                _say_failure(outcome, reporter)
                if intake.has_ended:
                    break
        counts = campaign.status(campaign.calculation(plan).digest()).counts
        with reporter.step("screening", counts["waiting"] + counts["running"]) as advance:
            for outcome in outcomes:
                advance(1)
                _say_failure(outcome, reporter)


def _say_failure(outcome: Outcome, reporter: Reporter) -> None:
    if outcome.failure is not None:
        reporter.say(f"{outcome.name}: {outcome.failure.cause}; {outcome.failure.message}")


class _IntakeLines:
    """Says now and then how many crystals have come in, and how quickly; and how it ended."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._begun = self._said = time.monotonic()
        self._count = 0
        self.has_ended = False

    def advance(self, more: int) -> None:
        """Count `more` crystals."""
        self._count += more
        now = time.monotonic()
        if now - self._said > SAID_EVERY:
            self._said = now
            rate = self._count / (now - self._begun)
            self._reporter.say(f"{self._count} crystals entered, {rate:.0f} a second")

    def end(self, intake: Intake) -> None:
        """Say what came of it."""
        self.has_ended = True
        if self._count:
            self._reporter.say(intake.describe())


@app.command("status")
def show_status(store: StoreArgument, calculation: CalculationOption = None) -> None:
    """Say how many crystals are done, running and failed, how quickly it goes and what is left."""
    campaign = _open(store)
    typer.echo("\n".join(_status_lines(campaign.status(calculation))))
    shown: dict[str, int] = {}
    for one in campaign.failures(calculation):
        shown[one["cause"]] = shown.get(one["cause"], 0) + 1
        if shown[one["cause"]] <= WORST:
            typer.echo(f"  {one['cause']}\t{one['name']}\t{one['message']}")


@app.command("rank")
def rank_crystals(
    store: StoreArgument,
    by: Annotated[str, typer.Option(help="What is ranked by, such as 'c_v(300) / mass'.")],
    where: Annotated[
        str | None, typer.Option(help="Condition, such as 'stable and e_hull < 0.1'.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    ascending: Annotated[
        bool, typer.Option("--ascending", help="The smallest first, not the largest.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(help="Write all columns of them to this file.")
    ] = None,
    parquet: Annotated[Path | None, typer.Option(help="The same, as Parquet.")] = None,
    calculation: CalculationOption = None,
) -> None:
    """Rank crystals by an expression over what was computed ('screen columns' lists it)."""
    from rich.console import Console
    from rich.table import Table as Shown

    from mlphonon.screening.ranking.rank import format_rows, rank, write_table
    from mlphonon.system.terminal import plain

    ranked = rank(_open(store).results(calculation), by, where, top, ascending)
    for path in (csv, parquet):
        if path is not None:
            write_table(ranked, path)
    columns = ["rank", "name", "formula", "spacegroup", by]
    shown = Shown(box=None)
    for column in columns:
        shown.add_column(plain(column))
    for row in format_rows(ranked, columns):
        shown.add_row(*map(plain, row))
    Console().print(shown)


@app.command("columns")
def list_columns(store: StoreArgument, calculation: CalculationOption = None) -> None:
    """List what can be ranked by, with units."""
    table = _open(store).results(calculation)
    for name in table.columns:
        typer.echo(f"{name}\t{table.units.get(name, '')}")


@app.command("retry")
def retry_failed(
    store: StoreArgument,
    failed: Annotated[
        str | None, typer.Option(help="Only those that failed for this cause, e.g. timeout.")
    ] = None,
    calculation: CalculationOption = None,
) -> None:
    """Let crystals that failed wait again; 'screen run' then computes them."""
    number = _open(store).retry(failed, calculation)
    typer.echo(f"{number} wait again; 'mlphonon screen run --store {store}' computes them")


@app.command("export")
def export_results(
    store: StoreArgument,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File: .parquet, .csv or .json.")
    ] = Path("results.parquet"),
    calculation: CalculationOption = None,
) -> None:
    """Write all results to a file."""
    from mlphonon.screening.ranking.rank import write_table

    table = _open(store).results(calculation)
    write_table(table, output)
    typer.echo(f"{len(table)} crystals -> {output}")


@app.command("report")
def write_report(
    store: StoreArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file.")] = Path(
        "campaign.html"
    ),
    by: Annotated[str, typer.Option(help="What is ranked by.")] = "max_frequency",
    where: Annotated[str | None, typer.Option(help="Condition on what is ranked.")] = "stable",
    top: Annotated[int, typer.Option(min=1, max=50, help="How many are shown.")] = 12,
    ascending: Annotated[bool, typer.Option("--ascending", help="The smallest first.")] = False,
    heat: Annotated[
        str, typer.Option(help="What colours the periodic table: mean over an element's crystals.")
    ] = "debye_temperature",
    calculation: CalculationOption = None,
) -> None:
    """Write a page: distributions, a periodic table, the top list with pictures, failures."""
    from mlphonon.report.screening.page import Summary, write_page
    from mlphonon.screening.ranking.rank import rank

    campaign = _open(store)
    table = campaign.results(calculation)
    summary = Summary(
        title=Path(store).stem,
        status=_status_lines(campaign.status(calculation)),
        table=table,
        failures=campaign.failures(calculation),
        ranked=rank(table, by, where, top, ascending),
        by=by,
        where=where,
        folders=campaign.folders(calculation),
        heat=heat,
    )
    write_page(output, summary)
    typer.echo(f"{len(table)} crystals -> {output}")


def _open(store: str) -> Campaign:
    from mlphonon.screening.campaign import Campaign

    return Campaign(store, create=False)


def _site(config: Path | None, changes: dict[str, Any]) -> Site:
    from mlphonon.screening.site import Site, make_site

    return make_site(changes) if config is None else Site.read(config, **changes)


def _status_lines(status: Status) -> list[str]:
    from mlphonon.force_constants.planning import describe_duration

    counts = status.counts
    line = ", ".join(f"{number} {state}" for state, number in counts.items())
    causes = ", ".join(f"{number} {cause}" for cause, number in status.failures.items())
    lines = [status.calculation.describe(), f"{line}{f' ({causes})' if causes else ''}"]
    for asked, number in status.without.items():
        lines.append(f"{number} done crystals lack {asked}, which failed: see column ..._failure")
    if status.duplicates:
        lines.append(f"{status.duplicates} crystals given twice are computed once")
    if counts["waiting"] + counts["running"] and status.seconds_left is not None:
        left = describe_duration(status.seconds_left)
        lines.append(f"{status.rate:.0f} an hour, {left} left")
    return lines
