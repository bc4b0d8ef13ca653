"""Workers in another Python: here the one that runs the tests, with calculators made for them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon import compute_phonons, load_potential
from mlphonon.errors import PotentialError
from mlphonon.potentials.isolated import worker
from mlphonon.potentials.isolated.isolated_potential import IsolatedPotential
from mlphonon.potentials.isolated.spec import WorkerSpec, find_python, parse_spec

PYTHON = Path(sys.executable)

CALCULATORS = '''
import os, sys, time
from ase.calculators.emt import EMT

print("a library says hello on stdout")

class Moody(EMT):
    """EMT that misbehaves when the cell is large."""

    def __init__(self, mood="none", limit=1):
        super().__init__()
        self.mood, self.limit = mood, limit

    def calculate(self, atoms, *args, **kwargs):
        if len(atoms) > self.limit:
            if self.mood == "crash":
                print("the GPU is on fire", file=sys.stderr, flush=True)
                os._exit(7)
            if self.mood == "killed":
                os.kill(os.getpid(), 9)
            if self.mood == "hang":
                time.sleep(60)
            if self.mood == "raise":
                raise ValueError("too many atoms\\nand a second line")
        print("noise in the middle")
        super().calculate(atoms, *args, **kwargs)

def stressless():
    calculator = EMT()
    calculator.implemented_properties = ["energy", "forces"]
    return calculator

def forceless():
    calculator = EMT()
    calculator.implemented_properties = ["energy"]
    return calculator

class Nested:
    make = staticmethod(Moody)

class InBatches:
    """EMT a batch at a time; the stress tells how many were in it, the energy which one."""

    implemented_properties = ["energy", "forces", "stress"]
    device = "cpu"

    def __init__(self, most=100):
        self.most = most

    def prepare(self, atoms):
        atoms.calc = EMT()
        return atoms

    def edges(self, atoms):
        return 4000

    def evaluate(self, batch):
        if len(batch) > self.most:
            raise RuntimeError("CUDA out of memory")
        return [(a.get_potential_energy(), a.get_forces(), [[len(batch)] * 3] * 3) for a in batch]
'''


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "calculators.py"
    path.write_text(CALCULATORS)
    return str(path)


def moody(module: str, mood: str, **options: float) -> IsolatedPotential:
    spec = WorkerSpec(PYTHON, module, "Moody", {"mood": mood, "limit": 1})
    return IsolatedPotential(spec, "moody", **options)


SMALL, LARGE = bulk("Cu"), bulk("Cu", cubic=True)


def test_messages_carry_arrays_unchanged() -> None:
    arrays = {
        "a": np.arange(12.0).reshape(3, 4).T,  # not contiguous
        "b": np.array([], dtype=np.int32),
        "c": np.array(7, dtype=np.int64),
    }
    stream = io.BytesIO()
    worker.write_message(stream, {"kind": "x"}, arrays)
    worker.write_message(stream, {"kind": "y"})
    stream.seek(0)
    header, found = worker.read_message(stream)
    assert header == {"kind": "x"}
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert worker.read_message(stream) == ({"kind": "y"}, {})
    with pytest.raises(EOFError):
        worker.read_message(stream)


def test_a_potential_of_another_environment_by_its_name(module: str) -> None:
    potential = load_potential(f"python:{PYTHON}:{module}:Moody?mood=none&limit=3")
    seen: list[int] = []
    found = potential.evaluate([SMALL, LARGE, SMALL], seen.append)
    assert seen == [1, 1, 1]
    large = LARGE.copy()
    large.calc = EMT()
    assert found[1].energy == large.get_potential_energy()
    np.testing.assert_array_equal(found[1].stress, large.get_stress(voigt=False))
    assert potential.info.versions["python"] == sys.version.split()[0]


@pytest.mark.parametrize(("most", "sizes"), [(100, [3, 3, 3, 1]), (2, [1, 1, 1, 1])])
def test_a_family_may_evaluate_batches_of_its_own(module: str, most: int, sizes: list[int]) -> None:
    """Filled up to what fits; halved where memory runs out, and remembered."""
    potential = load_potential(f"python:{PYTHON}:{module}:InBatches?most={most}")
    assert potential.info.batched
    crystals = [SMALL, LARGE, SMALL, LARGE]
    found = potential.evaluate(crystals)
    for one, atoms in zip(found, crystals, strict=True):
        expected = atoms.copy()
        expected.calc = EMT()
        assert one.energy == expected.get_potential_energy()
        np.testing.assert_array_equal(one.forces, expected.get_forces())
    assert [int(one.stress[0, 0]) for one in found] == sizes
    with pytest.raises(PotentialError, match=r"not fit into memory.*smaller supercell"):
        load_potential(f"python:{PYTHON}:{module}:InBatches?most=0").evaluate(crystals)


def test_phonons_are_those_of_the_calculator_in_this_process(module: str) -> None:
    settings = {"min_length": 8, "mesh": 20}
    potential = load_potential(f"python:{PYTHON}:{module}:Nested.make")
    q = [[0.1, 0.2, 0.3]]
    here = compute_phonons(bulk("Cu"), EMT(), **settings).frequencies(q)
    there = compute_phonons(bulk("Cu"), potential, **settings).frequencies(q)
    np.testing.assert_allclose(there, here, atol=1e-9)


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        ("crash", ["exit code 7", "the GPU is on fire"]),
        ("killed", ["memory"]),
        ("raise", ["ValueError: too many atoms", "Cu4"]),
    ],
)
def test_a_worker_that_fails_says_why_and_the_next_works(
    module: str, mood: str, words: list[str]
) -> None:
    potential = moody(module, mood)
    with pytest.raises(PotentialError) as caught:
        potential.evaluate([SMALL, LARGE])
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert potential.evaluate([SMALL])[0].forces.shape == (1, 3)


def test_a_worker_that_hangs_is_ended(module: str) -> None:
    potential = moody(module, "hang", timeout=4.0)
    begun = time.monotonic()
    with pytest.raises(PotentialError, match="did not answer for 4 s"):
        potential.evaluate([LARGE])
    assert time.monotonic() - begun < 30
    assert potential.evaluate([SMALL])


def test_a_worker_killed_from_outside_between_two_calls(module: str) -> None:
    potential = moody(module, "none")
    potential.evaluate([SMALL])
    process = potential._worker.process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(PotentialError, match="killed"):
        potential.evaluate([SMALL])
    assert potential.evaluate([SMALL])


def test_answers_left_over_from_an_interrupted_call_are_not_taken(module: str) -> None:
    potential = moody(module, "none")

    def interrupt(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        potential.evaluate([SMALL, LARGE, SMALL], interrupt)
    assert potential.evaluate([LARGE])[0].forces.shape == (4, 3)


def test_the_process_ends_with_its_owner(module: str) -> None:
    potential = moody(module, "none")
    process = potential._worker.process
    potential.close()
    assert process.returncode == 0
    potential.evaluate([SMALL])
    process = potential._worker.process
    del potential
    assert process.wait(timeout=10) == 0


def test_the_worker_dies_with_a_parent_that_is_killed(module: str) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "import mlphonon.potentials.isolated.isolated_potential as isolated\n"
        f"spec = isolated.WorkerSpec(Path(sys.executable), {module!r}, 'Moody')\n"
        "p = isolated.IsolatedPotential(spec, 'm')\n"
        "print(p._worker.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be reaped does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_no_stress_is_nan_and_no_forces_an_error(module: str) -> None:
    potential = IsolatedPotential(WorkerSpec(PYTHON, module, "stressless"), "s")
    assert np.isnan(potential.evaluate([SMALL])[0].stress).all()
    with pytest.raises(PotentialError, match="gives no forces"):
        IsolatedPotential(WorkerSpec(PYTHON, module, "forceless"), "f")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("python:", "write python:"),
        ("python:/nowhere", "write python:"),
        ("python:/nowhere:ase.calculators.emt:EMT", "no Python environment at /nowhere"),
        (f"python:{PYTHON}:ase.calculators.emt:NoSuch", "AttributeError"),
        (f"python:{PYTHON}:no_such_module:EMT", "ModuleNotFoundError"),
        (f"python:{PYTHON}:/no/such/file.py:EMT", "there is no file /no/such/file.py"),
        (f"python:{PYTHON}:ase.build:bulk?colour=3", "TypeError"),
    ],
)
def test_a_wrong_specification_is_one_clear_line(spec: str, message: str) -> None:
    with pytest.raises(PotentialError) as caught:
        load_potential(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arguments_are_plain_values_and_the_device(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    text = f"python:{tmp_path}:a.b:C.d?x=3&y=true&name=7net-0&w=a:b&device={{device}}&e="
    spec = parse_spec(text, "cuda:1")
    assert (spec.module, spec.factory) == ("a.b", "C.d")
    assert spec.arguments == {
        "x": 3, "y": True, "name": "7net-0", "w": "a:b", "device": "cuda:1", "e": "",
    }  # fmt: skip
    # A link is kept: the environment is found by the place of its python.
    assert spec.python == tmp_path / "bin" / "python" == find_python(tmp_path)


def test_the_environment_sees_nothing_of_ours(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "look.py"
    path.write_text(
        "import os, sys\n"
        "def make():\n"
        "    import mace\n"
        "    here = os.path.dirname(mace.__file__)\n"
        "    raise RuntimeError(f'{here}|{\"/sneaked\" in sys.path}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", "/sneaked")
    with pytest.raises(PotentialError) as caught:
        load_potential(f"python:{PYTHON}:{path}:make")
    assert "site-packages/mace|False" in str(caught.value)
