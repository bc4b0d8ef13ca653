"""What it costs to run a potential in another Python environment.

    python benchmarks/isolation.py ENVIRONMENT MODULE:FACTORY?ARGUMENTS [--output FILE]

The same calculator evaluates the same displaced crystals (64 atoms, rock salt) within that
environment and through a worker, in turns; medians are shown.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import time
from pathlib import Path
from statistics import median

import numpy as np
from ase import Atoms
from ase.build import bulk

from mlphonon.potentials.isolated import worker
from mlphonon.potentials.isolated.isolated_potential import IsolatedPotential
from mlphonon.potentials.isolated.spec import PREFIX, WorkerSpec, parse_spec

TIMING = """
import json, sys, time
import numpy as np
from ase import Atoms
sys.path.insert(0, {folder!r})
import worker
del sys.path[0]
calculator = worker.load_factory({module!r}, {factory!r})(**json.loads({arguments!r}))
seconds = []
for line in sys.stdin:
    given = json.loads(line)
    begun = time.perf_counter()
    worker.evaluate_one(calculator, *(np.array(given[k]) for k in ("numbers", "positions", "cell")))
    print("seconds", time.perf_counter() - begun, flush=True)
"""


def crystals(count: int) -> list[Atoms]:
    rest = bulk("NaCl", "rocksalt", a=5.69, cubic=True) * (2, 2, 2)
    found = []
    for seed in range(count):
        atoms = rest.copy()
        # Each differs from the last, or a calculator would answer from memory.
        atoms.rattle(0.01, seed=seed)
        found.append(atoms)
    return found


def start_direct(spec: WorkerSpec) -> subprocess.Popen[str]:
    code = TIMING.format(
        folder=str(Path(worker.__file__).parent),
        module=spec.module,
        factory=spec.factory,
        arguments=json.dumps(dict(spec.arguments)),
    )
    return subprocess.Popen(
        [str(spec.python), "-E", "-s", "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def time_direct(process: subprocess.Popen[str], atoms: Atoms) -> float:
    given = {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
    }
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("seconds "):
            return float(line.split()[1])
    raise RuntimeError("the calculator failed in its own environment")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("environment")
    parser.add_argument("call", help="MODULE:FACTORY?ARGUMENTS")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    spec = parse_spec(f"{PREFIX}{arguments.environment}:{arguments.call}", "cpu")
    potential, process = IsolatedPotential(spec, "isolated"), start_direct(spec)
    direct, isolated = [], []
    for turn, atoms in enumerate(crystals(arguments.repeats + 3)):
        begun = time.perf_counter()
        potential.evaluate([atoms])
        through, within = time.perf_counter() - begun, time_direct(process, atoms)
        if turn >= 3:  # the first compile and fill caches
            isolated.append(through)
            direct.append(within)
    process.terminate()
    spread = np.percentile(direct, [25, 75])
    text = (
        f"# A potential in another environment\n\n{datetime.date.today()};"
        f" {platform.processor() or platform.machine()}; `{arguments.call}`;"
        f" {potential.versions}; 64 atoms, medians of {arguments.repeats}.\n\n"
        "| | seconds |\n|---|---:|\n"
        f"| in its own process | {median(direct):.4f} (quartiles {spread[0]:.4f},"
        f" {spread[1]:.4f}) |\n"
        f"| through a worker | {median(isolated):.4f} |\n"
        f"| overhead | {100 * (median(isolated) / median(direct) - 1):+.1f} % |\n"
    )
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
