"""``mlphonon gruneisen``: crystals in files -> a folder each with Grueneisen parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.options import CommonOptions, given, with_common_options
from mlphonon.cli.runner import Runner, one_potential

if TYPE_CHECKING:
    from mlphonon.anharmonic.gruneisen.result import Gruneisen


@with_common_options
def gruneisen(
    common: CommonOptions,
    *,
    strain: Annotated[
        float | None, typer.Option(help="Relative change of volume, either way [0.005].")
    ] = None,
    isotropic: Annotated[
        bool, typer.Option("--isotropic", help="Keep the shape of a cell that is not cubic.")
    ] = False,
    third_order: Annotated[
        bool, typer.Option("--third-order", help="Compare with third-order force constants.")
    ] = False,
) -> None:
    """Compute Grueneisen parameters from phonons at several volumes."""
    from mlphonon.anharmonic.gruneisen.settings import GruneisenSettings

    chosen = GruneisenSettings.read(
        common.settings,
        phonons=common.harmonic(),
        **given(
            strain=strain,
            cell="isotropic" if isotropic else None,
            third_order=True if third_order else None,
        ),
    )

    def compute(crystal: Any, potentials: Any, **how: Any) -> Iterator[tuple[str, Gruneisen]]:
        from mlphonon.anharmonic.gruneisen.compute import compute_gruneisen

        yield "-gruneisen", compute_gruneisen(crystal, one_potential(potentials), chosen, **how)

    Runner(common, chosen.phonons.symprec, "gruneisen").run(compute)
