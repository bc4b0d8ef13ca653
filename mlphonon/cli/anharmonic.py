"""``mlphonon anharmonic``: a crystal in a file -> its phonons at a temperature."""

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
    from mlphonon.crystal.crystal import Crystal
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter
    from mlphonon.settings import PhononSettings


def anharmonic(
    file: FileArgument,
    temperature: Annotated[float, typer.Option(help="K.")] = 300.0,
    method: Annotated[
        str,
        typer.Option(help="sscha: self-consistent; effective: from molecular dynamics."),
    ] = "sscha",
    output: OutputOption = Path("out"),
    potential: PotentialOption = "embedded",
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float64",
    supercell: SupercellOption = None,
    min_length: Annotated[
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
    born: Annotated[
        Path | None, typer.Option(help="BORN file for the non-analytical term.")
    ] = None,
    settings: SettingsOption = None,
    allow_pickle: PickleOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compute phonons at a temperature; write them beside the harmonic ones."""
    from mlphonon.anharmonic.at_temperature.compute import method_settings, renormalised_phonons

    given: dict[str, Any] = {
        "statistics": statistics,
        "snapshots": snapshots,
        "tolerance": tolerance,
        "pressure": pressure,
        "hessian": True if hessian else None,
        "seed": seed,
        "min_length": min_length,
    }
    chosen = method_settings(method, **{k: v for k, v in given.items() if v is not None})

    def compute(
        crystal: Crystal, engine: Potential, harmonic: PhononSettings, reporter: Reporter
    ) -> Any:
        return renormalised_phonons(
            crystal,
            engine,
            temperature,
            method,  # type: ignore[arg-type]
            chosen,
            harmonic=harmonic,
            born=born,
            reporter=reporter,
        )

    OneCrystal(
        file=file,
        output=output,
        potential=potential,
        loading={"device": device, "dtype": dtype, "allow_pickle": allow_pickle},
        settings_file=settings,
        changes={"supercell": supercell},
        as_json=as_json,
        quiet=quiet,
    ).run(f"{method}-{temperature:g}K", compute)
