"""``mlphonon phonons-at-temperature``: crystals in files -> their phonons at a temperature."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.options import CommonOptions, given, with_common_options
from mlphonon.cli.runner import Runner, one_potential

if TYPE_CHECKING:
    from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature


@with_common_options
def phonons_at_temperature(
    common: CommonOptions,
    *,
    temperature: Annotated[float | None, typer.Option(help="K [300].")] = None,
    method: Annotated[
        str | None,
        typer.Option(help="\\[sscha]: self-consistent; effective: from molecular dynamics."),
    ] = None,
    displaced_min_length: Annotated[
        float | None, typer.Option(help="Least height of the displaced supercell, A [10].")
    ] = None,
    statistics: Annotated[
        str | None,
        typer.Option(help="quantum or classical atoms \\[sscha: quantum, effective: classical]."),
    ] = None,
    snapshots: Annotated[
        int | None, typer.Option(help="Displaced supercells that are evaluated together.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Error of frequencies that is good enough, THz [0.02].")
    ] = None,
    pressure: Annotated[
        float | None, typer.Option(help="Of sscha: relax the cell to it, GPa \\[cell kept].")
    ] = None,
    hessian: Annotated[
        bool, typer.Option("--hessian", help="Of sscha: look for instabilities of the free energy.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Of random numbers.")] = None,
) -> None:
    """Compute phonons at a temperature; write them beside the harmonic ones."""
    from mlphonon.anharmonic.at_temperature.settings import PhononsAtTemperatureSettings

    chosen = PhononsAtTemperatureSettings.read(
        common.settings,
        phonons=common.harmonic(),
        **given(
            temperature=temperature,
            method=method,
            statistics=statistics,
            snapshots=snapshots,
            tolerance=tolerance,
            pressure=pressure,
            hessian=True if hessian else None,
            seed=seed,
            min_length=displaced_min_length,
        ),
    )

    def compute(
        crystal: Any, potentials: Any, **how: Any
    ) -> Iterator[tuple[str, PhononsAtTemperature]]:
        from mlphonon.anharmonic.at_temperature.compute import compute_phonons_at_temperature

        engine = one_potential(potentials)
        found = compute_phonons_at_temperature(crystal, engine, chosen, **how)
        yield f"-{chosen.method}-{chosen.temperature:g}K", found

    Runner(common, chosen.phonons.symprec, "phonons-at-temperature").run(compute)
