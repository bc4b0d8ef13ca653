"""``mlphonon conductivity``: a crystal in a file -> a folder with its heat conductivity."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlphonon.cli.anharmonic_options import (
    DeviceOption,
    DtypeOption,
    FileArgument,
    JsonOption,
    OneCrystal,
    OutputOption,
    PickleOption,
    PotentialOption,
    QuietOption,
    SettingsOption,
    SupercellOption,
)

if TYPE_CHECKING:
    from mlphonon.anharmonic.conductivity.result import HeatConductivity


def conductivity(
    file: FileArgument,
    output: OutputOption = Path("out"),
    potential: PotentialOption = "embedded",
    temperatures: Annotated[
        str, typer.Option(help="K: 300, or 200,300,400, or first:last:step.")
    ] = "300",
    method: Annotated[
        str, typer.Option(help="rta, lbte, \\[wigner] or wigner-lbte (see the README).")
    ] = "wigner",
    mesh: Annotated[
        str, typer.Option(help="Length that sets the q mesh, A [60]; '19 19 19'; converged.")
    ] = "60",
    third_order: Annotated[
        str, typer.Option(help="\\[auto]: the cheapest; displacements, autodiff or regression.")
    ] = "auto",
    third_supercell: Annotated[
        str | None, typer.Option(help="Of the third order: \\[auto], '2 2 2' or nine integers.")
    ] = None,
    cutoff: Annotated[
        str | None, typer.Option(help="Of the third order, A; auto: until kappa has settled.")
    ] = None,
    displacement: Annotated[
        float | None, typer.Option(help="Of the third order, A \\[by route and precision].")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Relative change at which mesh and cutoff have settled.")
    ] = 0.03,
    isotope: Annotated[
        bool, typer.Option("--isotope", help="Scattering by the natural mixture of isotopes.")
    ] = False,
    boundary: Annotated[
        float | None, typer.Option(help="Length that phonons travel at most, m (1e-6).")
    ] = None,
    supercell: SupercellOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float64",
    settings: SettingsOption = None,
    allow_pickle: PickleOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute the heat conductivity of the lattice: phonons, third order, transport."""
    from mlphonon.anharmonic.conductivity.settings import make_conductivity_settings
    from mlphonon.anharmonic.third_order.settings import make_third_order_settings

    chosen = make_conductivity_settings(
        temperatures=parse_temperatures(temperatures),
        transport=method,
        mesh=_parse_mesh(mesh),
        cutoff=_number_or_word(cutoff, "cutoff"),
        tolerance=tolerance,
        isotope=isotope,
        boundary=boundary,
    )
    third = make_third_order_settings(
        method=third_order, supercell=third_supercell, displacement=displacement
    )

    def compute(crystal: Any, engine: Any, harmonic: Any, reporter: Any) -> HeatConductivity:
        from mlphonon.anharmonic.conductivity.compute import conduct_heat
        from mlphonon.workflow import compute_phonons

        phonons = compute_phonons(crystal, engine, harmonic, reporter=reporter)
        return conduct_heat(phonons, engine, chosen, third, (reporter, crystal))

    OneCrystal(
        file=file,
        output=output,
        potential=potential,
        loading={"device": device, "dtype": dtype, "allow_pickle": allow_pickle},
        settings_file=settings,
        changes={"supercell": supercell},
        as_json=as_json,
        quiet=quiet,
    ).run("conductivity", compute)


def parse_temperatures(text: str) -> tuple[float, ...]:
    """Read ``300``, ``200,300`` or ``first:last:step``, K.

    Raises
    ------
    SettingsError
        If it is none of these.
    """
    from mlphonon.errors import SettingsError
    from mlphonon.settings import make_settings

    if ":" in text:
        return tuple(make_settings(temperatures=text).temperature_grid().tolist())
    try:
        return tuple(float(part) for part in text.replace(",", " ").split())
    except ValueError as error:
        raise SettingsError(
            f"temperatures cannot be '{text}'", fix="give 300, or 200,300, or first:last:step"
        ) from error


def _parse_mesh(text: str) -> float | tuple[int, ...] | str | None:
    from mlphonon.errors import SettingsError

    parts = text.replace(",", " ").split()
    if len(parts) == 3:
        try:
            return tuple(int(part) for part in parts)
        except ValueError as error:
            raise SettingsError(
                f"mesh cannot be '{text}'", fix="give a length, three whole numbers, or converged"
            ) from error
    return _number_or_word(text, "mesh")


def _number_or_word(text: str | None, name: str) -> float | str | None:
    from mlphonon.errors import SettingsError

    words = {"mesh": "converged", "cutoff": "auto"}
    if text is None or text == words[name]:
        return text
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(
            f"{name} cannot be '{text}'", fix=f"give a length in A, or {words[name]}"
        ) from error
