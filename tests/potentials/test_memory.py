"""What memory a calculation takes, said before and measured after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ase.build import bulk

from mlphonon.potentials import memory
from mlphonon.potentials.mace.mace_potential import MacePotential
from mlphonon.potentials.memory import MemoryModel, available_memory, count_kept

MEASURE = """
import gc, sys
from ase.build import bulk
from mlphonon import load_potential

def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024

potential = load_potential("embedded", device="cpu", dtype="float64")
atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True).repeat(4)
small = atoms[:0] + bulk("NaCl", "rocksalt", a=5.64, cubic=True)
potential.hessian_rows(small, [(0, [1.0, 0.0, 0.0])])
gc.collect()
open("/proc/self/clear_refs", "w").write("5")
before = status("VmRSS")
potential.hessian_rows(atoms, [(0, [1.0, 0.0, 0.0])])
print(potential.memory(atoms, rows=True), status("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks as Linux tells them")
def test_the_prediction_is_near_the_peak_and_not_below_it() -> None:
    """512 atoms of NaCl: half a gigabyte."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    predicted, measured = map(int, done.stdout.splitlines()[-1].split())
    assert measured > 2e8
    assert 0.9 * measured < predicted < 2.5 * measured


def test_memory_grows_with_atoms_rows_precision_and_places(embedded: MacePotential) -> None:
    small = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    large = small.repeat((2, 1, 1))
    assert embedded.memory(large) == pytest.approx(2 * embedded.memory(small), rel=1e-6)
    assert embedded.memory(small, rows=True) > 1.3 * embedded.memory(small)
    assert embedded.memory(small, at_once=2) > 1.5 * embedded.memory(small)
    single = embedded.in_precision("float32")
    assert single.memory(small) == pytest.approx(embedded.memory(small) / 2, rel=0.1)
    assert embedded.in_precision("float64") is embedded
    assert embedded.in_precision("float32") is single


def test_fewer_run_at_once_where_memory_is_short(
    embedded: MacePotential, monkeypatch: pytest.MonkeyPatch
) -> None:
    atoms = bulk("NaCl", "rocksalt", a=5.64, cubic=True)
    for rows in (False, True):
        need = embedded.memory(atoms, rows, at_once=3)
        monkeypatch.setattr(
            "mlphonon.potentials.mace.mace_potential.available_memory",
            lambda _device, n=need: int(n / 0.7) + 1,
        )
        assert embedded._fitting(8, embedded.graph(atoms), rows) == 3
        assert embedded._fitting(1, embedded.graph(atoms), rows) == 1


def test_tensors_are_counted_once() -> None:
    import torch

    x = torch.ones(1000, dtype=torch.float64, requires_grad=True)

    def run() -> torch.Tensor:
        y = x * x  # keeps x, once
        return (y * y).sum()  # keeps y

    assert count_kept(run) == 2 * 8000
    model = MemoryModel.from_counts([(8, 100, 900), (8, 300, 1900), (16, 200, 1800)])
    assert model.kept(10, 50) == pytest.approx(10 * 50 + 50 * 5)


def test_a_control_group_limits_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "job" / "step"
    group.mkdir(parents=True)
    (tmp_path / "job" / "memory.max").write_text("5000\n")
    (tmp_path / "job" / "memory.current").write_text("3000\n")
    (tmp_path / "job" / "memory.stat").write_text("anon 1\ninactive_file 500\n")
    (group / "memory.max").write_text("max\n")
    (group / "memory.current").write_text("10\n")
    assert list(memory._limits_above(group, tmp_path)) == [2500]
    whole = available_memory("cpu")
    assert whole > 1e8
    monkeypatch.setattr(memory, "_control_groups", lambda: iter([2500]))
    assert available_memory("cpu") == 2500
