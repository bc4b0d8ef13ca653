"""Options that several commands share: each is named, explained and given its panel here, once.

A command is a function of `CommonOptions` and of options of its own; `with_common_options` makes
of it what typer reads, with the fields of `CommonOptions` among the parameters.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

POTENTIAL_PANEL = "Potential"
HARMONIC_PANEL = "Harmonic phonons"
OUTPUT_PANEL = "Output"

FilesArgument = Annotated[
    list[Path], typer.Argument(help="Crystals: CIF, POSCAR, extxyz, whatever ASE reads.")
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "-o", "--output", help="Folder; each result gets one in it.", rich_help_panel=OUTPUT_PANEL
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print the summaries, one JSON line each, alone.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("--quiet", help="Print nothing but errors.", rich_help_panel=OUTPUT_PANEL),
]
PotentialsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--potential",
        help="Name ('mlphonon potentials list'), file or folder, or python:ENV:MODULE:FACTORY"
        " \\[embedded]. Of 'phonons', again: another, and how far they disagree.",
        rich_help_panel=POTENTIAL_PANEL,
    ),
]
HeadOption = Annotated[
    str | None,
    typer.Option(help="Head of a multi-head model.", rich_help_panel=POTENTIAL_PANEL),
]
DispersionOption = Annotated[
    str | None,
    typer.Option(help="d3: add DFT-D3, or d3:FUNCTIONAL.", rich_help_panel=POTENTIAL_PANEL),
]
DeviceOption = Annotated[
    str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=POTENTIAL_PANEL)
]
DtypeOption = Annotated[
    str, typer.Option(help="float64 or float32.", rich_help_panel=POTENTIAL_PANEL)
]
PickleOption = Annotated[
    bool,
    typer.Option(
        "--allow-pickle",
        help="Load a pickled model that nothing vouches for.",
        rich_help_panel=POTENTIAL_PANEL,
    ),
]
NonconservativeOption = Annotated[
    bool,
    typer.Option(
        "--allow-nonconservative",
        help="Take forces that are the slope of no energy.",
        rich_help_panel=POTENTIAL_PANEL,
    ),
]
SettingsOption = Annotated[
    Path | None,
    typer.Option(
        help="YAML file of all settings of this command; options override it.",
        rich_help_panel=OUTPUT_PANEL,
    ),
]
SupercellOption = Annotated[
    str | None,
    typer.Option(
        help="\\[auto], converged, '2 2 2' or nine integers.", rich_help_panel=HARMONIC_PANEL
    ),
]
MinLengthOption = Annotated[
    float | None,
    typer.Option(
        help="Least height of the automatic supercell, A [15].", rich_help_panel=HARMONIC_PANEL
    ),
]
SymprecOption = Annotated[
    float | None,
    typer.Option(
        help="Tolerance of the symmetry search, A [1e-5].", rich_help_panel=HARMONIC_PANEL
    ),
]
NoRelaxOption = Annotated[
    bool,
    typer.Option(
        "--no-relax", help="Take the crystal as it is given.", rich_help_panel=HARMONIC_PANEL
    ),
]
BornOption = Annotated[
    Path | None,
    typer.Option(
        help="BORN file for the non-analytical term (LO-TO splitting).",
        rich_help_panel=HARMONIC_PANEL,
    ),
]
MetalOption = Annotated[
    bool,
    typer.Option(
        "--metal",
        help="Its electrons screen what splits LO and TO modes.",
        rich_help_panel=HARMONIC_PANEL,
    ),
]


@dataclass(frozen=True)
class CommonOptions:
    """What every command that computes something of crystals can be given."""

    output: OutputOption = Path("out")
    potential: PotentialsOption = None
    head: HeadOption = None
    dispersion: DispersionOption = None
    device: DeviceOption = "auto"
    dtype: DtypeOption = "float64"
    allow_pickle: PickleOption = False
    allow_nonconservative: NonconservativeOption = False
    supercell: SupercellOption = None
    min_length: MinLengthOption = None
    symprec: SymprecOption = None
    no_relax: NoRelaxOption = False
    born: BornOption = None
    metal: MetalOption = False
    settings: SettingsOption = None
    as_json: JsonOption = False
    quiet: QuietOption = False
    files: FilesArgument = field(default_factory=list)

    def harmonic(self) -> dict[str, Any]:
        """Return the settings of the harmonic phonons that were given, by name."""
        return given(
            supercell=self.supercell,
            min_length=self.min_length,
            symprec=self.symprec,
            relax=False if self.no_relax else None,
            metal=True if self.metal else None,
            allow_nonconservative=True if self.allow_nonconservative else None,
        )


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were given; None means: not given."""
    return {name: value for name, value in options.items() if value is not None}


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command for typer, of the fields of `CommonOptions` and its own options.

    Parameters
    ----------
    command : callable
        Takes ``common``, then options of its own by name.
    """
    hints = get_type_hints(CommonOptions, include_extras=True)
    own = get_type_hints(command, include_extras=True)
    names = [one.name for one in fields(CommonOptions)]

    def run(**values: Any) -> None:
        common = CommonOptions(**{name: values.pop(name) for name in names})
        command(common, **values)

    parameters = [_parameter("files", hints["files"])]
    for name, parameter in list(inspect.signature(command).parameters.items())[1:]:
        parameters.append(_parameter(name, own[name], parameter.default))
    for one in fields(CommonOptions):
        if one.name != "files":
            parameters.append(_parameter(one.name, hints[one.name], one.default))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = _annotations(parameters)
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def renamed(command: Callable[..., None], old: str, new: str) -> Callable[..., None]:
    """Return a command that says, before it runs, that it has another name now."""

    @wraps(command)
    def run(**values: Any) -> None:
        print(f"mlphonon: '{old}' is called '{new}' now", file=sys.stderr, flush=True)
        command(**values)

    return run


def _parameter(name: str, hint: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=hint)


def _annotations(parameters: list[inspect.Parameter]) -> dict[str, Any]:
    return {parameter.name: parameter.annotation for parameter in parameters} | {"return": None}
