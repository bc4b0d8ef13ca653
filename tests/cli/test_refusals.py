"""What cannot be done ends in exit code 2 and one line that helps, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import EXAMPLES, Call

NACL = EXAMPLES / "NaCl.cif"
QUICK = ("--min-length", 6, "--mesh", 20, "--quiet")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("garbage.cif", "cannot read a crystal"),
        ("empty.cif", "no structure|cannot read a crystal"),
        ("binary.cif", "cannot read a crystal"),
        ("partial.cif", r"partly occupied \(Na 0.75 \+ K 0.25\).*ordered supercell"),
        ("water.xyz", "not periodic in three directions"),
        ("touching.vasp", "0.100 A apart"),
        ("missing.cif", "there is no file"),
        ("", "there is no file"),
    ],
)
def test_files_that_are_no_crystals(call: Call, crystals: Path, name: str, message: str) -> None:
    line = call("phonons", crystals / name).refusal()
    assert re.search(message, line), line
    assert str(crystals / name) in line


@pytest.mark.parametrize(("name", "symbol"), [("radon.vasp", "Rn"), ("helium.cif", "He")])
def test_element_the_potential_does_not_know(
    call: Call, crystals: Path, name: str, symbol: str
) -> None:
    line = call("phonons", crystals / name, "--quiet").refusal()
    assert f"does not know {symbol};" in line
    assert "potentials list" in line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--supercell", "2 2"), "3 or 9 whole numbers"),
        (("--supercell", "2 2 x"), "3 or 9 whole numbers"),
        (("--supercell", "2.5 2 2"), "3 or 9 whole numbers"),
        (("--supercell", "0 2 2"), "determinant"),
        (("--supercell", "1 0 0 0 1 0 1 1 0"), "determinant"),
        (("--temperatures", "warm"), "first:last:step"),
        (("--temperatures", "0:1000"), "temperatures"),
        (("--temperatures", "1000:0:10"), "first <= last"),
        (("--temperatures", "0:1000:0"), "step > 0"),
        (("--temperatures", "-5:1000:10"), ">= 0"),
        (("--temperatures", "0:inf:10"), "temperatures"),
        (("--temperatures", "0:1e9:1"), "more than 100000"),
        (("--min-length", "-1"), "min_length"),
        (("--min-length", "nan"), "min_length"),
        (("--min-length", "inf"), "min_length"),
        (("--displacement", "0"), "displacement"),
        (("--displacement", "3"), "displacement"),
        (("--mesh", "0"), "mesh"),
        (("--mesh", "inf"), "mesh"),
        (("--symprec", "0"), "symprec"),
        (("--symprec", "5"), "symprec"),
        (("--born", "nowhere"), "there is no file nowhere"),
        (("--potential", "embeded"), "spelt alike are embedded"),
        (("--potential", "mace-omat0"), "spelt alike are .*mace-omat-0"),
        (("--potential", "./nowhere"), "there is no file nowhere"),
        (("--potential", "mace-mpa-0"), "MLPHONON_OFFLINE forbids"),
        (("--dtype", "float16"), "use float32 or float64"),
        (("--device", "abacus"), "device 'abacus' is unknown"),
        (("--head", "left"), "no head 'left'"),
    ],
)
def test_options_that_cannot_be_used(call: Call, options: tuple[str, str], message: str) -> None:
    line = call("phonons", NACL, *options).refusal()
    assert re.search(message, line), line


def test_supercell_of_too_many_atoms(call: Call) -> None:
    assert "max_atoms = 1200" in call("phonons", NACL, "--supercell", "9 9 9").refusal()
    assert "max_atoms" in call("phonons", NACL, "--min-length", 80).refusal()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_lenght: 20\n", "unknown setting 'min_lenght'"),
        ("min_length: tall\n", "setting 'min_length' cannot be 'tall'"),
        ("supercell: [2, 2]\n", "3 or 9 whole numbers"),
        ("supercell: {a: 2}\n", "supercell"),
        ("temperatures: [0, 1000, 10]\n", "temperatures"),
        ("temperatures: [0, hot, 1]\n", "temperatures"),
        ("min_length\n", "holds no settings"),
        ("- min_length: 20\n", "holds no settings"),
        ("1: 2\n", "holds no settings"),
        ("min_length: [1\n", "cannot read settings"),
        ("\0", "cannot read settings"),
    ],
)
def test_settings_that_cannot_be_used(call: Call, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    assert message in call("phonons", NACL, "--settings", "settings.yaml").refusal()


def test_missing_settings(call: Call) -> None:
    assert "nowhere.yaml" in call("phonons", NACL, "--settings", "nowhere.yaml").refusal()


def test_born_file_that_is_none(call: Call, tmp_path: Path) -> None:
    (tmp_path / "BORN").write_text("14.4\n1 0 0\n")
    line = call("phonons", NACL, *QUICK, "--born", "BORN").refusal()
    assert "cannot use the BORN file" in line


class Payload:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_untrusted_pickle_does_not_run(call: Call, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "evil.model").write_bytes(pickle.dumps(Payload(marker)))
    line = call("phonons", NACL, "--potential", "evil.model").refusal()
    assert "runs whatever code it holds" in line
    assert "--allow-pickle" in line
    assert not marker.exists()
    call("phonons", NACL, "--potential", "evil.model", "--allow-pickle")
    assert marker.exists(), "the payload would have run: the refusal above is what held it"


def test_truncated_pickle(call: Call, weights: Path, tmp_path: Path) -> None:
    data = (weights / "tiny.model").read_bytes()
    (tmp_path / "short.model").write_bytes(data[: len(data) // 2])
    line = call("phonons", NACL, "--potential", "short.model", "--allow-pickle").refusal()
    assert "truncated" in line


def test_tampered_pickle_in_the_store(
    call: Call, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray((weights / "tiny.model").read_bytes())
    digest = hashlib.sha256(data).hexdigest()
    data[len(data) // 2] ^= 1
    store = tmp_path / "cache" / "potentials"
    store.mkdir(parents=True)
    (store / "tiny.model").write_bytes(data)
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(
        f'[tiny]\nurl = "https://example.org/t"\nfilename = "tiny.model"\nsha256 = "{digest}"\n'
        'licence = "MIT"\nreference = "-"\ntraining_set = "-"\nfunctional = "-"\n'
    )
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(catalogue))
    for trust in ((), ("--allow-pickle",)):
        line = call("phonons", NACL, "--potential", "tiny", *trust).refusal()
        assert "is not the file it should be" in line


def test_embedded_weights_that_are_not_the_catalogues(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text(f'[embedded]\nsha256 = "{"0" * 64}"\n')
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(catalogue))
    line = call("phonons", NACL).refusal()
    assert "is not the file it should be" in line
    assert "install mlphonon again" in line


@pytest.mark.parametrize("damage", ["truncated", "header", "no weights", "no shape", "other shape"])
def test_damaged_folder_of_weights(call: Call, weights: Path, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "plain"
    shutil.copytree(weights / "plain", folder)
    file, shape = folder / "weights.safetensors", folder / "architecture.json"
    data = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(data[:-100])
    elif damage == "header":
        file.write_bytes(data[:8] + b"\xff" * 8 + data[16:])
    elif damage == "no weights":
        file.unlink()
    elif damage == "no shape":
        shape.write_text("{}")
    else:
        shape.write_text(shape.read_text().replace("4x0e", "8x0e"))
    line = call("phonons", NACL, "--potential", "plain").refusal()
    reasons = ("cannot rebuild a MACE from", "holds no potential", "describes no MACE")
    assert any(reason in line for reason in reasons), line


def test_unconverged_relaxation(call: Call, tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("relax_steps: 1\n")
    line = call("phonons", NACL, *QUICK, "--settings", "settings.yaml").refusal()
    assert "the relaxation of NaCl did not converge in 1 steps" in line
    assert "allow_unconverged" in line


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Make every write beyond `size` bytes of a file fail, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 20_000])
def test_full_disk(call: Call, size: int) -> None:
    with files_at_most(size):
        outcome = call("phonons", NACL, *QUICK, "--no-relax", "-o", "results")
    assert outcome.new <= {"results"}
    line = type(outcome)(outcome.code, outcome.out, outcome.err, frozenset()).refusal()
    assert "cannot write the result to results/NaCl; File too large" in line


@pytest.mark.parametrize("output", ["file", "file/results", "/proc/results"])
def test_folder_that_cannot_be_made(call: Call, tmp_path: Path, output: str) -> None:
    (tmp_path / "file").write_text("keep me")
    line = call("phonons", NACL, *QUICK, "--no-relax", "-o", output).refusal()
    assert "cannot write the result" in line
    assert (tmp_path / "file").read_text() == "keep me"


def test_folder_of_something_else_is_left_alone(call: Call, tmp_path: Path) -> None:
    (tmp_path / "out" / "NaCl").mkdir(parents=True)
    (tmp_path / "out" / "NaCl" / "thesis.tex").write_text("keep me")
    line = call("phonons", NACL, *QUICK, "--no-relax").refusal()
    assert "is not an earlier result" in line
    assert (tmp_path / "out" / "NaCl" / "thesis.tex").read_text() == "keep me"


@pytest.mark.parametrize("arguments", [("phonons",), ("phonons", "x.cif", "--nope"), ("nope",)])
def test_usage(call: Call, arguments: tuple[str, ...]) -> None:
    outcome = call(*arguments)
    assert outcome.code == 2
    assert "Usage" in outcome.err
    assert "Traceback" not in outcome.err


def test_trust_takes_no_other_word(call: Call) -> None:
    line = call("phonons", NACL, "--trust", "blindly").refusal()
    assert "setting 'trust' cannot be 'blindly'" in line
