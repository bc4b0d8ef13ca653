"""``mlphonon thermal-conductivity``: crystals in files -> a folder each with conductivity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.options import CommonOptions, given, with_common_options
from mlphonon.cli.runner import Runner, one_potential

if TYPE_CHECKING:
    from mlphonon.anharmonic.conductivity.result import ThermalConductivity

THIRD_ORDER_PANEL = "Third order"


@with_common_options
def thermal_conductivity(
    common: CommonOptions,
    *,
    temperatures: Annotated[
        str | None, typer.Option(help="K: 300, or 200,300, or first:last:step [300].")
    ] = None,
    transport: Annotated[
        str | None,
        typer.Option("--transport", "--method", help="rta, lbte, \\[wigner] or wigner-lbte."),
    ] = None,
    mesh: Annotated[
        str | None,
        typer.Option(help="Length that sets the q mesh, A [60]; '19 19 19'; converged."),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="Relative change at which mesh and cutoff have settled [0.03]."),
    ] = None,
    isotope: Annotated[
        bool, typer.Option("--isotope", help="Scattering by the natural mixture of isotopes.")
    ] = False,
    boundary: Annotated[
        float | None, typer.Option(help="Length that phonons travel at most, m (1e-6).")
    ] = None,
    third_order: Annotated[
        str | None,
        typer.Option(
            help="\\[auto]: the cheapest; displacements, autodiff or regression.",
            rich_help_panel=THIRD_ORDER_PANEL,
        ),
    ] = None,
    third_supercell: Annotated[
        str | None,
        typer.Option(help="\\[auto], '2 2 2' or nine integers.", rich_help_panel=THIRD_ORDER_PANEL),
    ] = None,
    cutoff: Annotated[
        str | None,
        typer.Option(help="A; auto: until kappa has settled.", rich_help_panel=THIRD_ORDER_PANEL),
    ] = None,
    displacement: Annotated[
        float | None,
        typer.Option(help="A \\[by way and precision].", rich_help_panel=THIRD_ORDER_PANEL),
    ] = None,
) -> None:
    """Compute the thermal conductivity of the lattice: phonons, third order, transport."""
    from mlphonon.anharmonic.conductivity.settings import ThermalConductivitySettings

    third = given(method=third_order, supercell=third_supercell, displacement=displacement)
    chosen = ThermalConductivitySettings.read(
        common.settings,
        phonons=common.harmonic(),
        third_order=third,
        **given(
            temperatures=temperatures,
            transport=transport,
            mesh=mesh,
            cutoff=cutoff,
            tolerance=tolerance,
            isotope=True if isotope else None,
            boundary=boundary,
        ),
    )

    def compute(
        crystal: Any, potentials: Any, **how: Any
    ) -> Iterator[tuple[str, ThermalConductivity]]:
        from mlphonon.anharmonic.conductivity.compute import compute_thermal_conductivity

        engine = one_potential(potentials)
        found = compute_thermal_conductivity(crystal, engine, chosen, **how)
        yield "-thermal-conductivity", found

    Runner(common, chosen.phonons.symprec, "thermal-conductivity").run(compute)
