"""``mlphonon thermal-expansion``: crystals in files -> a folder each with thermal expansion."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.options import CommonOptions, given, with_common_options
from mlphonon.cli.runner import Runner, one_potential

if TYPE_CHECKING:
    from mlphonon.anharmonic.expansion.result import ThermalExpansion


@with_common_options
def thermal_expansion(
    common: CommonOptions,
    *,
    temperatures: Annotated[
        str | None, typer.Option(help="K: 300, or 100,300, or first:last:step [0:1000:10].")
    ] = None,
    volumes: Annotated[int | None, typer.Option(help="How many, five at least [9].")] = None,
    smallest: Annotated[
        float | None, typer.Option(help="Relative change of the smallest volume [-0.04].")
    ] = None,
    largest: Annotated[
        float | None,
        typer.Option(help="Of the largest at first; more are added as needed [0.08]."),
    ] = None,
    cell: Annotated[
        str | None, typer.Option(help="\\[shape] relaxes at each volume, or isotropic.")
    ] = None,
    anisotropic: Annotated[
        bool, typer.Option("--anisotropic", help="Minimise over the lengths of the axes.")
    ] = False,
    pressure: Annotated[float | None, typer.Option(help="GPa [0].")] = None,
) -> None:
    """Compute thermal expansion, bulk modulus and C_P in the quasi-harmonic approximation."""
    from mlphonon.anharmonic.expansion.settings import ThermalExpansionSettings

    chosen = ThermalExpansionSettings.read(
        common.settings,
        phonons=common.harmonic(),
        **given(
            temperatures=temperatures,
            volumes=volumes,
            smallest=smallest,
            largest=largest,
            cell=cell,
            anisotropic=True if anisotropic else None,
            pressure=pressure,
        ),
    )

    def compute(
        crystal: Any, potentials: Any, **how: Any
    ) -> Iterator[tuple[str, ThermalExpansion]]:
        from mlphonon.anharmonic.expansion.compute import compute_thermal_expansion

        engine = one_potential(potentials)
        yield "-thermal-expansion", compute_thermal_expansion(crystal, engine, chosen, **how)

    Runner(common, chosen.phonons.symprec, "thermal-expansion").run(compute)
