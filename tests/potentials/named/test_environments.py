"""Environments made for real, with a package made for the test: no network is touched."""

from __future__ import annotations

import json
import site
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon import compute_phonons, install_potential, load_potential
from mlphonon.errors import PotentialError, UntrustedFileError
from mlphonon.potentials.named import environments
from mlphonon.potentials.named.catalogue import read_families
from mlphonon.potentials.named.environments import environment_folder, python_of, state_of

TINY = """
from ase.calculators.emt import EMT

__version__ = "1.0"

class Tiny(EMT):
    def __init__(self, weights, dtype):
        super().__init__()
        self.factor = float(open(weights).read())
        self.dtype = dtype

    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        for name in ("energy", "free_energy", "forces", "stress"):
            self.results[name] = self.results[name] * self.factor
"""

CATALOGUE = """
[family.tiny]
requirements = ["{wheel}"]
torch = false
module = "tiny"
factory = "Tiny"
arguments = {{ weights = "{{weights}}", dtype = "{{dtype}}" }}
dtypes = ["float32"]

[tiny-pot]
family = "tiny"
url = "http://127.0.0.1:9/tiny.txt"
filename = "tiny.txt"
sha256 = "{sha256}"
licence = "MIT"
reference = "none"
training_set = "none"
functional = "none"
elements = "13, 28-29, 79"
cutoff = 7.0

[tiny-direct]
family = "tiny"
packaged = "tiny_weights.txt"
licence = "MIT"
reference = "none"
training_set = "none"
functional = "none"
conservative = false

[tiny-self]
family = "tiny"
arguments = {{ weights = "{weights}" }}
licence = "MIT"
reference = "none"
training_set = "none"
functional = "none"
tested = "2026-11-21"
"""


def make_wheel(folder: Path, version: str = "1.0") -> Path:
    """Build a package whose environment borrows the packages of this one."""
    path = folder / f"tiny-{version}-py3-none-any.whl"
    info = f"tiny-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tiny.py", TINY)
        wheel.writestr("tiny_weights.txt", "1.0")
        wheel.writestr("borrowed.pth", "\n".join(site.getsitepackages()))
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
        )
        tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the environment of `tiny` in it; what tests change they change back."""
    import hashlib

    folder = tmp_path_factory.mktemp("home")
    weights = folder / "given.txt"
    weights.write_text("2.0")
    (folder / "catalogue.toml").write_text(
        CATALOGUE.format(
            wheel=make_wheel(folder),
            sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
            weights=weights,
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLPHONON_CACHE", str(folder / "cache"))
        patch.setenv("MLPHONON_CATALOGUE", str(folder / "catalogue.toml"))
        patch.setenv("MLPHONON_UV", "0")
        patch.delenv("MLPHONON_OFFLINE", raising=False)
        said: list[str] = []
        install_potential("tiny-pot", weights=weights, say=said.append)
        assert [line.split()[0] for line in said] == ["making", "installing"]
    return folder


@pytest.fixture(autouse=True)
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPHONON_CACHE", str(home / "cache"))
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(home / "catalogue.toml"))
    monkeypatch.setenv("MLPHONON_UV", "0")
    monkeypatch.delenv("MLPHONON_OFFLINE", raising=False)


def test_what_was_installed_runs_and_says_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    potential = load_potential("tiny-pot", dtype="float64")
    assert "untested" in caplog.text
    info = potential.info
    assert (info.name, info.backend, info.tested) == ("tiny-pot", "isolated", False)
    assert info.dtype == "float32", "the only one it has, and not what was asked for"
    assert info.elements == {13, 28, 29, 79}
    assert info.cutoff == 7.0
    assert info.versions["python"] == sys.version.split()[0]
    copper = bulk("Cu")
    copper.calc = EMT()
    found = potential.evaluate([bulk("Cu")])[0]
    assert found.energy == pytest.approx(2 * copper.get_potential_energy())
    np.testing.assert_allclose(found.stress, 2 * copper.get_stress(voigt=False))
    with pytest.raises(PotentialError, match="does not know Na"):
        potential.evaluate([bulk("Na")])


def test_result_records_where_it_came_from() -> None:
    settings = {"min_length": 8, "mesh": 20}
    record = compute_phonons(bulk("Cu"), "tiny-pot", **settings).record.potential
    assert record["tested"] is False
    assert record["sha256"] is not None
    assert record["versions"]["ase"]
    json.dumps(record)


def test_the_record_tells_what_is_inside() -> None:
    family = read_families()["tiny"]
    assert state_of(family) == "made"
    record = environments.read_record(family)
    assert record is not None
    assert record["python"] == sys.version.split()[0]
    assert python_of(family).is_file()
    say: list[str] = []
    environments.make(family, say.append)
    assert say == [], "it is shared, not made again"


def test_a_stale_environment_is_remade_when_used(home: Path) -> None:
    catalogue = home / "catalogue.toml"
    before = catalogue.read_text()
    other = make_wheel(home, "1.1")
    catalogue.write_text(before.replace("tiny-1.0-py3", "tiny-1.1-py3"))
    try:
        assert state_of(read_families()["tiny"]) == "stale"
        assert other.exists()
        load_potential("tiny-pot").evaluate([bulk("Cu")])
        record = environments.read_record(read_families()["tiny"])
        assert record is not None
        assert state_of(read_families()["tiny"]) == "made"
        assert any("1.1" in line for line in record["packages"])
    finally:
        catalogue.write_text(before)
        environments.make(read_families()["tiny"], lambda _text: None)


def test_half_made_is_not_made() -> None:
    family = read_families()["tiny"]
    record = environment_folder(family) / environments.RECORD
    text = record.read_text()
    for broken in (None, "{", "[]"):
        record.unlink(missing_ok=True)
        if broken is not None:
            record.write_text(broken)
        assert state_of(family) == "absent"
        with pytest.raises(PotentialError, match="potentials install tiny-pot"):
            load_potential("tiny-pot")
    record.write_text(text)
    assert state_of(family) == "made"


def test_what_cannot_be_installed_is_one_line_and_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue = home / "other.toml"
    catalogue.write_text(
        '[family.absent]\nrequirements = ["/no/such/absent-1.0-py3-none-any.whl"]\ntorch = false\n'
        'module = "absent"\n[absent-pot]\nfamily = "absent"\nlicence = "-"\nreference = "-"\n'
        'training_set = "-"\nfunctional = "-"\n'
    )
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(catalogue))
    with pytest.raises(UntrustedFileError, match=r"absent will fetch.*--allow-pickle"):
        install_potential("absent-pot")
    with pytest.raises(PotentialError, match="cannot make the environment of absent") as caught:
        install_potential("absent-pot", allow_pickle=True)
    assert "\n" not in str(caught.value)
    log = home / "cache" / "environments" / "absent.log"
    assert str(log) in str(caught.value)
    assert "absent-1.0" in log.read_text()
    assert state_of(read_families()["absent"]) == "absent"


def test_what_may_not_or_cannot_be_made_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPHONON_CACHE", str(tmp_path / "empty"))
    weights = home / "given.txt"
    with monkeypatch.context() as offline:
        offline.setenv("MLPHONON_OFFLINE", "1")
        with pytest.raises(PotentialError, match="MLPHONON_OFFLINE"):
            install_potential("tiny-pot", weights=weights)
    catalogue = tmp_path / "old.toml"
    text = (home / "catalogue.toml").read_text()
    catalogue.write_text(text.replace("torch = false", 'torch = false\npython = "<3.11"'))
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(catalogue))
    with pytest.raises(PotentialError, match=r"do not run on Python.*need <3\.11"):
        install_potential("tiny-pot", weights=weights)
    assert not (tmp_path / "empty" / "environments" / "tiny").exists()


def test_wrong_weights_are_not_kept(home: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("3.0")
    with pytest.raises(PotentialError, match="is not potential 'tiny-pot'"):
        install_potential("tiny-pot", weights=wrong)
    stored = home / "cache" / "potentials" / "tiny.txt"
    assert stored.read_text() == "2.0", "what was there is still there"
    stored.write_text("3.0")
    try:
        with pytest.raises(PotentialError, match="not the file it should be"):
            load_potential("tiny-pot")
    finally:
        stored.write_text("2.0")
    with pytest.raises(PotentialError, match="there is no file"):
        install_potential("tiny-pot", weights=tmp_path / "nowhere")
    with pytest.raises(PotentialError, match="takes no file of weights"):
        install_potential("tiny-direct", weights=wrong)


def test_forces_without_an_energy_are_refused_for_phonons() -> None:
    settings = {"min_length": 8, "mesh": 20}
    direct = load_potential("tiny-direct", allow_pickle=True)
    with pytest.raises(PotentialError, match=r"slope of no energy.*--allow-nonconservative"):
        compute_phonons(bulk("Cu"), direct, **settings)
    found = compute_phonons(bulk("Cu"), direct, allow_nonconservative=True, **settings)
    assert found.record.potential["conservative"] is False


def test_weights_that_a_package_fetches_need_trust_once(home: Path) -> None:
    with pytest.raises(UntrustedFileError, match="tiny will fetch"):
        load_potential("tiny-self")
    install_potential("tiny-self", allow_pickle=True)
    assert load_potential("tiny-self").info.sha256 is None
    (home / "cache" / "potentials" / "tiny-self.by-its-package").unlink()


def test_heads_are_those_of_the_potential() -> None:
    with pytest.raises(PotentialError, match="one head only"):
        load_potential("tiny-pot", head="other")


def test_the_command_line_installs_tests_and_tells(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlphonon.cli.app import main

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mlphonon", "potentials", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return int(left.value.code or 0), out, err

    code, out, err = call("list")
    rows = {line.split("\t")[0]: line.split("\t")[-2:] for line in out.splitlines()}
    assert rows["tiny-pot"] == ["untested", "here"]
    assert rows["chgnet"] == ["", "environment to make"]
    code, out, _ = call("info", "tiny-pot", "--json")
    assert json.loads(out)["environment"] == "made"
    # EMT does not know rock salt: the self-test takes a crystal that it knows.
    code, out, err = call("install", "tiny-pot", "--weights", str(home / "given.txt"))
    assert code == 0
    assert out.splitlines() == ["tiny-pot: ready; fit for phonons with displacements of 0.01 A"]
    code, _, err = call("install", "chgnett")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "spelt alike are chgnet" in err
