"""``mlphonon train``: a recipe and training data -> weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_command(
    recipe: Annotated[Path, typer.Argument(help="YAML file (see mlphonon/potentials/embedded).")],
    data: Annotated[
        list[Path],
        typer.Option(
            help="Data set (.h5), or labelled structures as extended XYZ, gzipped or not; may be"
            " given again."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for weights, log and checkpoint.")
    ],
) -> None:
    """Train a MACE by a recipe; the same command resumes a run that was stopped."""
    from mlphonon.errors import TrainingError
    from mlphonon.training.from_scratch.settings import Recipe

    chosen = Recipe.read(recipe)
    for path in data:
        if not path.is_file():
            raise TrainingError(f"there is no file {path}", fix="give --data labelled structures")

    from mlphonon.training.from_scratch.compute import train

    train(chosen, data, output)
