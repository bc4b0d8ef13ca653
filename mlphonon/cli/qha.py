"""``mlphonon qha``: a crystal in a file -> a folder with its thermal expansion."""

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
    from mlphonon.anharmonic.expansion.result import QuasiHarmonic


def qha(
    file: FileArgument,
    output: OutputOption = Path("out"),
    potential: PotentialOption = "embedded",
    temperatures: Annotated[str, typer.Option(help="first:last:step in K.")] = "0:1000:10",
    volumes: Annotated[int, typer.Option(help="How many, five at least.")] = 9,
    smallest: Annotated[
        float, typer.Option(help="Relative change of the smallest volume.")
    ] = -0.04,
    largest: Annotated[
        float, typer.Option(help="Of the largest at first; more are added as needed.")
    ] = 0.08,
    cell: Annotated[
        str, typer.Option(help="\\[shape] relaxes at each volume, or isotropic.")
    ] = "shape",
    anisotropic: Annotated[
        bool, typer.Option("--anisotropic", help="Minimise over the lengths of the axes.")
    ] = False,
    pressure: Annotated[float, typer.Option(help="GPa.")] = 0.0,
    supercell: SupercellOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float64",
    settings: SettingsOption = None,
    allow_pickle: PickleOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute thermal expansion, bulk modulus and C_P in the quasi-harmonic approximation."""
    from mlphonon.anharmonic.expansion.settings import make_expansion_settings

    chosen = make_expansion_settings(
        temperatures=temperatures,
        volumes=volumes,
        smallest=smallest,
        largest=largest,
        cell=cell,
        anisotropic=anisotropic,
        pressure=pressure,
    )

    def compute(crystal: Any, engine: Any, harmonic: Any, reporter: Any) -> QuasiHarmonic:
        from mlphonon.anharmonic.expansion.compute import expand
        from mlphonon.workflow import compute_phonons

        phonons = compute_phonons(crystal, engine, harmonic, reporter=reporter)
        return expand(phonons, engine, chosen, reporter)

    OneCrystal(
        file=file,
        output=output,
        potential=potential,
        loading={"device": device, "dtype": dtype, "allow_pickle": allow_pickle},
        settings_file=settings,
        changes={"supercell": supercell},
        as_json=as_json,
        quiet=quiet,
    ).run("qha", compute)
