"""``mlphonon phonons``: crystals in files -> a folder of results for each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.options import HARMONIC_PANEL, CommonOptions, given, with_common_options
from mlphonon.cli.runner import Runner, one_potential

if TYPE_CHECKING:
    from mlphonon.io.result import Result


@with_common_options
def phonons(
    common: CommonOptions,
    *,
    temperatures: Annotated[
        str | None, typer.Option(help="K: 300, or 100,300, or first:last:step [0:1000:10].")
    ] = None,
    mesh: Annotated[
        float | None, typer.Option(help="Length that sets the q mesh, A [100].")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Say what imaginary modes are, and follow the real ones."),
    ] = False,
    trust: Annotated[
        str | None,
        typer.Option(help="What the verdict looks at: \\[default], or full, for twice the time."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 1 if a verdict is 'do not use'.")
    ] = False,
    tolerance: Annotated[
        float | None,
        typer.Option(help="Of a converged supercell, THz [0.05].", rich_help_panel=HARMONIC_PANEL),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            help="\\[auto]: the cheapest; displacements, autodiff or regression.",
            rich_help_panel=HARMONIC_PANEL,
        ),
    ] = None,
    row_dtype: Annotated[
        str | None,
        typer.Option(
            help="Of autodiff: \\[own], float32 (checked in float64) or float64.",
            rich_help_panel=HARMONIC_PANEL,
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="Of displacements: \\[field], as with DFT, or small: one way and tiny.",
            rich_help_panel=HARMONIC_PANEL,
        ),
    ] = None,
    displacement: Annotated[
        float | None,
        typer.Option(
            help="Length of the field's displacements, A [0.01].", rich_help_panel=HARMONIC_PANEL
        ),
    ] = None,
) -> None:
    """Compute phonons: relax, displace, solve; write dispersion, DOS, thermal properties."""
    from mlphonon.settings import PhononSettings

    chosen = PhononSettings.read(
        common.settings,
        **common.harmonic(),
        **given(
            tolerance=tolerance,
            method=method,
            row_dtype=row_dtype,
            protocol=protocol,
            displacement=displacement,
            mesh=mesh,
            temperatures=temperatures,
            trust=trust,
        ),
    )

    def compute(crystal: Any, potentials: Any, **how: Any) -> Iterator[tuple[str, Result]]:
        from mlphonon.instabilities.family import explain_imaginary_modes
        from mlphonon.workflow import compute_phonons

        found = compute_phonons(crystal, one_potential(potentials), chosen, **how)
        yield "", found
        if explain:
            reporter = how["reporter"]
            yield (
                "-imaginary-modes",
                explain_imaginary_modes(found, potentials[0], reporter=reporter),
            )

    results = Runner(common, chosen.symprec).run(compute)
    if strict and any(_refused(result) for result in results):
        raise typer.Exit(1)


def _refused(result: Result) -> bool:
    from mlphonon.phonons.phonons import Phonons

    return isinstance(result, Phonons) and result.trust.verdict == "do not use"
