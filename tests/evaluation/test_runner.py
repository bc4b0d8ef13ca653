"""Runs are resumed, never mixed, and the same with workers as without."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mlphonon.errors import ResultError, SettingsError
from mlphonon.evaluation.manifest import Manifest, code_digest, make_manifest
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.record import read_curves, read_record
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal
from mlphonon.evaluation.runner import in_this_process, in_workers, run
from mlphonon.evaluation.scores import Scores, read_together
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.crystals import quartz
from tests.helpers.springs import NetworkSprings

from .conftest import PROTOCOL


@pytest.fixture
def crystals(reference: ReferenceCrystal) -> Crystals:
    return {key: partial(replace, reference, key=key) for key in ("one", "two", "three")}


@pytest.fixture
def manifest(springs: Potential) -> Manifest:
    return make_manifest("quartz-3", {"file": "0"}, springs, PROTOCOL)


def load_springs() -> Potential:
    return AsePotential(NetworkSprings(quartz(), reach=3.2), name="springs")


def first(crystals: Crystals, n: int) -> Crystals:
    return dict(list(crystals.items())[:n])


def test_a_run_is_resumed(
    crystals: Crystals, springs: Potential, manifest: Manifest, tmp_path: Path
) -> None:
    """What is there is neither read from DFT's files nor written again."""
    scorer = in_this_process(springs, manifest)
    (before,) = run(first(crystals, 1), scorer, manifest, tmp_path)
    kept = (tmp_path / "crystals" / "one.json").stat().st_mtime_ns

    def never() -> ReferenceCrystal:
        raise AssertionError("this one is done")

    seen: list[str] = []
    again = {**crystals, "one": never}
    scores = run(again, scorer, manifest, tmp_path, lambda score: seen.append(score.key))
    assert [score.key for score in scores] == seen == ["one", "two", "three"]
    assert scores[0] == before
    assert (tmp_path / "crystals" / "one.json").stat().st_mtime_ns == kept
    assert scores[1].dft == scores[0].dft, "to the last digit"


def test_results_of_two_manifests_do_not_mix(
    crystals: Crystals, springs: Potential, manifest: Manifest, tmp_path: Path
) -> None:
    scorer = in_this_process(springs, manifest)
    run(first(crystals, 1), scorer, manifest, tmp_path)
    for name, value in {
        "protocol": Protocol(structures=("dft",), displacement=0.01),
        "reference_files": {"file": "1"},
        "code": "another",
        "potential": {**manifest.potential, "dtype": "float32"},
    }.items():
        other = manifest.model_copy(update={name: value})
        with pytest.raises(ResultError, match=f"another run; {name} differ"):
            run(crystals, scorer, other, tmp_path)


def test_damaged_records_are_named(
    crystals: Crystals, springs: Potential, manifest: Manifest, tmp_path: Path
) -> None:
    scorer = in_this_process(springs, manifest)
    run(first(crystals, 1), scorer, manifest, tmp_path)
    (tmp_path / "crystals" / "one.npz").write_bytes(b"PK")
    with pytest.raises(ResultError, match=r"cannot read .*one\.npz.*delete it"):
        read_curves(tmp_path / "crystals" / "one.npz")
    (tmp_path / "crystals" / "one.json").write_text("{")
    with pytest.raises(ResultError, match=r"cannot read .*one\.json.*delete it"):
        run(crystals, scorer, manifest, tmp_path)
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ResultError, match=r"cannot read .*manifest\.json"):
        Scores.read(tmp_path)
    with pytest.raises(ResultError, match="holds no results"):
        Scores.read(tmp_path / "crystals")


def test_failures_are_kept_and_tried_again_if_asked(
    crystals: Crystals, springs: Potential, manifest: Manifest, tmp_path: Path
) -> None:
    class Failing(AsePotential):
        def evaluate(self, structures, progress=None):
            raise RuntimeError("out of luck")

    failing = Failing(NetworkSprings(quartz(), reach=3.2), name="springs")
    one = first(crystals, 1)
    (score,) = run(one, in_this_process(failing, manifest), manifest, tmp_path)
    assert score.dft is not None
    assert score.dft.failure == "unexpected RuntimeError: out of luck"
    scorer = in_this_process(springs, manifest)
    assert run(one, scorer, manifest, tmp_path)[0].failed
    assert not run(one, scorer, manifest, tmp_path, retry_failed=True)[0].failed
    assert not read_record(tmp_path / "crystals" / "one.json").failed


def test_curves_come_back_as_they_went(
    crystals: Crystals, springs: Potential, manifest: Manifest, tmp_path: Path
) -> None:
    scorer = in_this_process(springs, manifest)
    run(first(crystals, 1), scorer, manifest, tmp_path)
    ((_, made),) = scorer([crystals["one"]()])
    assert made is not None
    found = Scores.read(tmp_path).curves("one")
    assert found is not None
    assert found.bands.labels == made.bands.labels
    for ours, theirs in zip(found.bands.frequencies, made.bands.frequencies, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    np.testing.assert_allclose(found.dft.frequencies, made.dft.frequencies, atol=1e-6)
    np.testing.assert_array_equal(found.dft.weights, made.dft.weights)
    assert found.points is not None
    assert made.points is not None
    np.testing.assert_array_equal(found.points.distances, made.points.distances)
    assert Scores.read(tmp_path).curves("another") is None


def test_workers_give_the_same(
    crystals: Crystals, springs: Potential, manifest: Manifest, tmp_path: Path
) -> None:
    alone = run(crystals, in_this_process(springs, manifest), manifest, tmp_path / "alone")
    before = dict(os.environ)
    shared = run(crystals, in_workers(load_springs, manifest, 2), manifest, tmp_path / "shared")
    assert dict(os.environ) == before
    assert [s.key for s in shared] == [s.key for s in alone], "in order"
    for one, other in zip(shared, alone, strict=True):
        assert one.dft is not None
        assert other.dft is not None
        assert one.dft.errors.keys() == other.dft.errors.keys()
        for name, value in one.dft.errors.items():
            assert value == pytest.approx(other.dft.errors[name], abs=1e-6)


def die() -> Potential:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_worker_that_dies_is_one_line(
    crystals: Crystals, manifest: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(ResultError, match=r"a worker process ended.*--workers"):
        run(crystals, in_workers(die, manifest, 1), manifest, tmp_path)


SCRIPT = """
import sys, time
from pathlib import Path
from functools import partial
from dataclasses import replace
from mlphonon.evaluation.manifest import make_manifest
from mlphonon.evaluation.runner import in_workers, run
from tests.evaluation.conftest import PROTOCOL, make_reference
from tests.evaluation.test_runner import load_springs
from tests.helpers.crystals import quartz
import numpy as np

if __name__ == "__main__":
    springs = load_springs()
    reference = make_reference(quartz(), springs, np.diag([2, 2, 1]), np.eye(3), "q")
    manifest = make_manifest("many", {}, springs, PROTOCOL)
    crystals = {f"c{i}": partial(replace, reference, key=f"c{i}") for i in range(int(sys.argv[2]))}
    scores = run(crystals, in_workers(load_springs, manifest, 2), manifest, Path(sys.argv[1]))
    print(len(scores))
"""


@pytest.mark.slow
def test_a_killed_run_leaves_no_workers_and_goes_on(tmp_path: Path) -> None:
    script, folder = tmp_path / "script.py", tmp_path / "results"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    command = [sys.executable, str(script), str(folder), "40"]
    running = subprocess.Popen(command, env=environment)
    records = folder / "crystals"
    _wait(lambda: records.is_dir() and len(list(records.glob("*.json"))) >= 2)
    children = _children(running.pid)
    assert len(children) >= 2
    running.kill()
    running.wait()
    _wait(lambda: not any(_alive(pid) for pid in children))
    done = {path.name: path.stat().st_mtime_ns for path in records.glob("*.json")}
    assert 2 <= len(done) < 40
    for name in done:
        read_record(records / name)
    found = subprocess.run(
        [*command[:-1], str(len(done) + 1)], env=environment, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    for name, when in done.items():
        assert (records / name).stat().st_mtime_ns == when


def _wait(true: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_a_table_is_of_one_set_under_one_protocol(
    crystals: Crystals, springs: Potential, manifest: Manifest, tmp_path: Path
) -> None:
    folders = []
    for name, value in {"a": PROTOCOL, "b": Protocol(structures=("dft",))}.items():
        one = manifest.model_copy(update={"protocol": value})
        run(first(crystals, 1), in_this_process(springs, one), one, tmp_path / name)
        folders.append(tmp_path / name)
    with pytest.raises(ResultError, match="protocol differs"):
        read_together(folders)
    with pytest.raises(ResultError, match="two of these folders are of one potential"):
        read_together([folders[0], folders[0]])


def test_protocol_is_validated_and_told_apart() -> None:
    assert Protocol.make().digest() == Protocol().digest()
    assert Protocol.make(displacement=0.01).digest() != Protocol().digest()
    with pytest.raises(SettingsError, match="displacement"):
        Protocol.make(displacement=-1)
    with pytest.raises(SettingsError, match="structures"):
        Protocol.make(structures=["unrelaxed"])


def test_the_manifest_pins_the_code(manifest: Manifest) -> None:
    assert manifest.code == code_digest()
    assert len(json.loads(manifest.model_dump_json())["code"]) == 64
    assert manifest.model_copy(update={"code": "x"}).digest() != manifest.digest()
