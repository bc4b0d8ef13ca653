"""Force constants of all calculations of phonondb-2018, one .npz each; damaged ones are named.

    python benchmarks/default_potential/cache.py --data DIR/phonondb-2018 -o constants

What is there already is left, so the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mlphonon.errors import MlphononError
from mlphonon.readers.classic_phonopy import read_classic
from mlphonon.training.data.folding import PeriodicConstants


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for path in sorted((options.data / "phonon_db_tarred").glob("*.tar.lzma")):
        target = options.output / f"mp-{path.name.split('-')[2]}.npz"
        if target.exists():
            continue
        try:
            constants = PeriodicConstants.of(read_classic(path).phonopy())
        except (MlphononError, ValueError) as error:
            print(f"{path.name} is left out: {error}", flush=True)
            continue
        part = target.with_suffix(".part.npz")
        constants.save(part)
        part.replace(target)


if __name__ == "__main__":
    main()
