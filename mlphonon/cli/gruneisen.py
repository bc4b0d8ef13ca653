"""``mlphonon gruneisen``: a crystal in a file -> a folder with its Grueneisen parameters."""

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
    from mlphonon.anharmonic.gruneisen.result import Gruneisen


def gruneisen(
    file: FileArgument,
    output: OutputOption = Path("out"),
    potential: PotentialOption = "embedded",
    strain: Annotated[
        float, typer.Option(min=1e-5, max=0.09, help="Relative change of volume, either way.")
    ] = 0.005,
    isotropic: Annotated[
        bool, typer.Option("--isotropic", help="Keep the shape of a cell that is not cubic.")
    ] = False,
    third_order: Annotated[
        bool, typer.Option("--third-order", help="Compare with third-order force constants.")
    ] = False,
    supercell: SupercellOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float64",
    settings: SettingsOption = None,
    allow_pickle: PickleOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute Grueneisen parameters from phonons at several volumes."""

    def compute(crystal: Any, engine: Any, harmonic: Any, reporter: Any) -> Gruneisen:
        from mlphonon.anharmonic.gruneisen.compute import GruneisenSettings, gruneisen_parameters
        from mlphonon.workflow import compute_phonons

        chosen = GruneisenSettings(
            strain=strain, cell="isotropic" if isotropic else "shape", third_order=third_order
        )
        phonons = compute_phonons(crystal, engine, harmonic, reporter=reporter)
        return gruneisen_parameters(phonons, engine, chosen, reporter)

    OneCrystal(
        file=file,
        output=output,
        potential=potential,
        loading={"device": device, "dtype": dtype, "allow_pickle": allow_pickle},
        settings_file=settings,
        changes={"supercell": supercell},
        as_json=as_json,
        quiet=quiet,
    ).run("gruneisen", compute)
