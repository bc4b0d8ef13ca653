"""Teach a potential DFT's curvature and a teacher's frames; the same command goes on.

python benchmarks/default_potential/train.py SETTINGS.yaml --start FOLDER --constants FOLDER \
        --frames FILE --frames FILE -o RUN
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from mlphonon.training.curvature.job import CurvatureJob, CurvatureSettings, Sources, describe
from mlphonon.training.optimisation.processes import run_job


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", type=Path)
    parser.add_argument("--start", type=Path, required=True)
    parser.add_argument("--constants", type=Path, required=True)
    parser.add_argument("--frames", type=Path, action="append", default=[])
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = CurvatureSettings.read(options.settings)
    sources = Sources(options.start, options.constants, tuple(options.frames))
    job = CurvatureJob(sources, settings)
    print(describe(job), flush=True)
    run_job(lambda: job, settings, options.output, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
