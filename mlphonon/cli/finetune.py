"""``mlphonon finetune``: a data set and a potential -> a better potential."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlphonon.cli.options import HeadOption, PickleOption, QuietOption


def finetune_command(
    data: Annotated[Path, typer.Argument(help="Data set of 'mlphonon dataset build'.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for potential, card, log, checkpoint.")
    ],
    potential: Annotated[str, typer.Option(help="To begin with: a name, file or folder.")] = (
        "embedded"
    ),
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Data set to replay; else simple crystals, labelled by the potential itself."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    freeze: Annotated[
        int | None, typer.Option(min=1, help="Hold the embedding and so many layers.")
    ] = None,
    lora: Annotated[
        int | None, typer.Option(min=1, help="Learn corrections of this rank instead of weights.")
    ] = None,
    epochs: Annotated[float | None, typer.Option(help="Times that all data are seen.")] = None,
    leave_out_unknown: Annotated[
        bool,
        typer.Option(
            "--leave-out-unknown",
            help="Leave out crystals with elements that the potential does not know.",
        ),
    ] = False,
    head: HeadOption = None,
    allow_pickle: PickleOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fine-tune a potential on a data set; the same command resumes a run that was stopped."""
    from mlphonon.training.finetuning.settings import FinetuneSettings

    options = {"freeze": freeze, "lora": lora, "epochs": epochs}
    changes: dict[str, object] = {
        name: value for name, value in options.items() if value is not None
    }
    if leave_out_unknown:
        changes["leave_out_unknown"] = True
    settings = FinetuneSettings.read(config, **changes)

    from mlphonon.cli.progress import TerminalReporter
    from mlphonon.training.finetuning.card import compare
    from mlphonon.training.finetuning.compute import finetune
    from mlphonon.training.finetuning.inputs import FinetuneInputs

    inputs = FinetuneInputs(data, potential, replay, head, allow_pickle)
    card = finetune(inputs, settings, output, TerminalReporter(quiet))
    for what, before, after in compare(card["before"], card["after"]):
        typer.echo(f"{what}: {before:.4g} -> {after:.4g}")
    typer.echo(f"-> {output / 'potential.model'} (SHA-256 {card['sha256']})")
