r"""A screen of binary compounds: highest heat capacity per mass, lowest Debye temperature.

    mlphonon screen run alexandria-binary-pbe-phonon-2025.1.json.gz --store screen.db \
        --config benchmarks/screening-site.yaml --settings benchmarks/screening-settings.yaml
    python benchmarks/screening.py screen.db alexandria-binary-pbe-phonon-2025.1.json.gz \
        -o benchmarks/screening.md

The file holds DFT's heat capacities at 300 K, with which ours are compared. The screen is resumed
by its command, and the page is made of what is there. With ``--efficiency N`` the cheapest N
crystals are computed anew by one worker and by two, which takes a quiet machine.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
from tables import machine, markdown_table, write_page

from mlphonon import Campaign
from mlphonon.report.figures import save_figure
from mlphonon.screening.calculation import PotentialSource
from mlphonon.screening.crystals.sources import Candidate, read_sources
from mlphonon.screening.plan import CampaignPlan
from mlphonon.screening.ranking.rank import format_rows, rank
from mlphonon.screening.ranking.table import Table
from mlphonon.screening.site import Site
from mlphonon.settings import PhononSettings

HERE = Path(__file__).parent
LABELLED = 6
SETTINGS = HERE / "screening-settings.yaml"
APART = 0.3
"""Relative change of volume by which a crystal has fallen apart, or together."""

SOUND = f"stable and abs(volume_change) < {APART:g}"
RANKINGS = (
    ("c_v(300) / mass", False, "Highest heat capacity per mass (J/K/g, 300 K)"),
    ("debye_temperature_dos", True, "Lowest Debye temperature (K, of the spectrum)"),
)


def with_dft(table: Table, given: list[Candidate]) -> Table:
    """Add DFT's heat capacity per mole of atoms; the file has it per mole of the cell it gives."""
    cells = {one.name: one for one in given if one.atoms is not None}
    found = [
        cells[name].properties["heat_capacity"] / len(cells[name].atoms)
        for name in table.columns["name"]
    ]
    return table.with_column("c_v_dft", np.array(found), "J/K/mol")


def plot(table: Table, path: Path) -> None:
    """Draw our heat capacities against DFT's, stable and unstable apart, the worst by name."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 4.4), layout="constrained")
    axes = figure.subplots()
    stable = table.columns["stable"]
    for chosen, colour, label in ((stable, "#1f5fa8", "stable"), (~stable, "#c8553d", "unstable")):
        dft, ours = table.columns["c_v_dft"][chosen], table.columns["c_v_300"][chosen]
        axes.plot(dft, ours, "o", ms=3.5, alpha=0.6, mew=0, color=colour, label=label)
    dft, ours = table.columns["c_v_dft"], table.columns["c_v_300"]
    for row in np.argsort(-np.abs(ours - dft))[:LABELLED]:
        name = str(table.columns["formula"][row])
        axes.annotate(name, (dft[row], ours[row]), (4, -3), textcoords="offset points", fontsize=7)
    limits = (min(8.0, ours.min() - 1, dft.min() - 1), 27.0)
    axes.plot(limits, limits, color="0.6", lw=0.8, zorder=0)
    axes.set(xlim=limits, ylim=limits, aspect="equal")
    axes.set_xlabel("DFT (J/K per mole of atoms)")
    axes.set_ylabel("embedded potential (J/K per mole of atoms)")
    axes.set_title(f"Heat capacity at 300 K, {len(table)} compounds", fontsize=10)
    axes.legend(frameon=False)
    save_figure(figure, path)


def ranking(table: Table, by: str, ascending: bool) -> str:
    """Return the ten on top, beside DFT's heat capacity."""
    columns = ["rank", "name", "formula", "spacegroup", by, "c_v_300", "c_v_dft", "truncation"]
    rows = format_rows(rank(table, by, SOUND, 10, ascending), columns)
    head = ["", "name", "formula", "space group", by, "C_V", "C_V of DFT", "truncation (THz)"]
    return markdown_table(head, rows)


def efficiency(given: list[Candidate], count: int) -> str:
    """Compute the same crystals by one worker and by two; return what that says."""
    settings = PhononSettings.read(SETTINGS)
    cheap = sorted((one for one in given if one.atoms is not None), key=lambda one: len(one.atoms))
    spent, rates = [], []
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            plan = CampaignPlan(
                PotentialSource(), settings, (300.0,), Site(workers=workers, threads=1)
            )
            campaign = Campaign(Path(folder) / "c.db")
            campaign.add(plan, islice(cheap, count))
            begun = time.perf_counter()
            ended = [time.perf_counter() - begun for _ in campaign.compute(plan)]
            spent.append(ended[-1])
            # From when every worker has loaded the potential and done one crystal.
            rates.append((len(ended) - workers) / (ended[-1] - ended[workers - 1]))
    return (
        f"{count} small crystals: {spent[0]:.0f} s by one worker of one thread, {spent[1]:.0f} s by"
        f" two; parallel efficiency {spent[0] / spent[1] / 2:.2f} with all of starting and loading,"
        f" {rates[1] / rates[0] / 2:.2f} once they run."
    )


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("--efficiency", type=int, metavar="N")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    there = f"{machine()}, {datetime.date.today()}"
    given = list(read_sources([options.structures]))
    campaign = Campaign(options.store, create=False)
    status, table = campaign.status(), with_dft(campaign.results(), given)
    stable = table.columns["stable"]
    error = table.columns["c_v_300"] - table.columns["c_v_dft"]
    whole = np.abs(table.columns["volume_change"]) < APART
    apart = [str(formula) for formula in table.columns["formula"][~whole]]
    failures = [[one["cause"], one["name"], one["message"]] for one in campaign.failures()]
    hours = float(np.nansum(table.columns["seconds"])) / 3600
    counts = ", ".join(f"{number} {state}" for state, number in status.counts.items())
    parts = [
        f"{status.calculation.describe()}; {there}. {counts}; {hours:.1f} hours of one core.",
        f"C_V at 300 K against DFT: mean absolute error {np.abs(error).mean():.2f} J/K per mole of"
        f" atoms over {len(table)} compounds ({np.abs(error[stable]).mean():.2f} over the"
        f" {stable.sum()} stable ones), mean error {error.mean():+.2f}. {len(apart)} changed their"
        f" volume by more than {100 * APART:.0f} % as they were relaxed, as no crystal should:"
        f" {', '.join(apart)}; {np.abs(error[whole]).mean():.2f} over the other {whole.sum()}.",
    ]
    if options.output is not None:
        plot(table, options.output.with_suffix(".png"))
        parts.append(f"![Heat capacities]({options.output.with_suffix('.png').name})")
    for by, ascending, title in RANKINGS:
        parts += [f"## {title}", f"Where `{SOUND}`.", ranking(table, by, ascending)]
    parts.append("## Failures")
    parts.append(markdown_table(["cause", "name", "message"], failures) if failures else "None.")
    if options.efficiency:
        parts += ["## Two cores", efficiency(given, options.efficiency)]
    text = "\n\n".join(parts)
    write_page(text, "screening.py", options.output)


if __name__ == "__main__":
    main()
