"""From name, file, folder and calculator to a potential; no pickle runs unless it may."""

from __future__ import annotations

import hashlib
import os
import pickle
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon.errors import PotentialError, UntrustedFileError
from mlphonon.potentials.loading import load_potential, resolve_device
from mlphonon.potentials.mace.architecture import save_weights
from mlphonon.potentials.potential import Potential
from tests.helpers.tiny_mace import TINY

ENTRY = """
[tiny]
url = "{url}/tiny.model"
filename = "tiny.model"
{sha256}
licence = "MIT"
reference = "none"
training_set = "none"
functional = "none"
"""


class Payload:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output clean."""


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one tiny MACE, as a pickle and as plain weights."""
    torch.manual_seed(1)
    model = TINY.build()
    folder = tmp_path_factory.mktemp("weights")
    # Rounded as plain weights are, so that both forms give the same energies.
    for parameter in model.parameters():
        parameter.data = parameter.data.float().double()
    torch.save(model, folder / "tiny.model")
    save_weights(model, TINY, folder / "plain")
    return folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the store of this test, empty."""
    monkeypatch.setenv("MLPHONON_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLPHONON_OFFLINE", raising=False)
    monkeypatch.delenv("MLPHONON_CATALOGUE", raising=False)
    return tmp_path / "cache" / "potentials"


@pytest.fixture
def url(weights: Path) -> Iterator[str]:
    """Serve the folder of weights."""
    handler = partial(QuietHandler, directory=str(weights))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def add_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, sha256: str | None
) -> None:
    path = tmp_path / "catalogue.toml"
    line = "" if sha256 is None else f'sha256 = "{sha256}"'
    path.write_text(ENTRY.format(url=url, sha256=line))
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(path))


def salt() -> Atoms:
    return bulk("NaCl", "rocksalt", a=5.6)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_untrusted_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    path, marker = tmp_path / "evil.model", tmp_path / "marker"
    path.write_bytes(pickle.dumps(Payload(marker)))
    with pytest.raises(UntrustedFileError) as caught:
        load_potential(path)
    assert not marker.exists()
    message = str(caught.value)
    assert "--allow-pickle" in message and "allow_pickle=True" in message
    assert "runs whatever code it holds" in message and "\n" not in message

    with pytest.raises(PotentialError):
        load_potential(path, allow_pickle=True)
    assert marker.exists(), "the payload would have run: the refusal above is what held it"


def test_evil_file_in_the_place_of_a_catalogued_one_does_not_run(
    tmp_path: Path, folder: Path
) -> None:
    marker = tmp_path / "marker"
    folder.mkdir(parents=True)
    (folder / "mace-mpa-0-medium.model").write_bytes(pickle.dumps(Payload(marker)))
    for trust in (False, True):
        with pytest.raises(PotentialError, match="is not the file it should be"):
            load_potential("mace-mpa-0", allow_pickle=trust)
    assert not marker.exists()


def test_trusted_pickle_and_plain_weights_give_the_same(weights: Path) -> None:
    pickled = load_potential(weights / "tiny.model", allow_pickle=True)
    plain = load_potential(str(weights / "plain"))
    assert isinstance(pickled, Potential)
    assert pickled.info.sha256 == digest(weights / "tiny.model")
    assert (pickled.info.name, plain.info.name) == ("tiny.model", "plain")
    assert pickled.info.dtype == "float64"
    atoms = salt()
    atoms.rattle(0.1, seed=1)
    one, two = pickled.evaluate([atoms])[0], plain.evaluate([atoms])[0]
    assert np.abs(one.forces).max() > 1e-3
    np.testing.assert_allclose(one.forces, two.forces, rtol=0, atol=1e-12)
    assert one.energy == pytest.approx(two.energy, abs=1e-12)


def test_weights_file_stands_for_its_folder(weights: Path) -> None:
    potential = load_potential(weights / "plain" / "weights.safetensors", dtype="float32")
    assert potential.info.dtype == "float32"
    assert potential.info.name == "plain"


def test_asking_by_name_pulls_and_trust_is_asked_once(
    weights: Path,
    folder: Path,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_entry(tmp_path, monkeypatch, url, None)
    with pytest.raises(UntrustedFileError):
        load_potential("tiny")
    assert load_potential("tiny", allow_pickle=True).info.name == "tiny"
    assert capsys.readouterr().err.count("pulling tiny from") == 1
    monkeypatch.setenv("MLPHONON_OFFLINE", "1")
    assert load_potential("tiny").info.sha256 == digest(weights / "tiny.model")
    assert load_potential(folder / "tiny.model").info.name == "tiny.model"

    (folder / "tiny.model").write_bytes((weights / "tiny.model").read_bytes() + b"x")
    with pytest.raises(PotentialError, match="is not the file it should be"):
        load_potential("tiny", allow_pickle=True)
    with pytest.raises(UntrustedFileError):
        load_potential(folder / "tiny.model")


def test_vouched_name_and_vouched_file_need_no_trust(
    weights: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_entry(tmp_path, monkeypatch, url, digest(weights / "tiny.model"))
    assert load_potential("tiny").info.differentiable
    assert load_potential(weights / "tiny.model").info.name == "tiny.model"


def test_offline_name_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPHONON_OFFLINE", "1")
    with pytest.raises(PotentialError, match="potentials pull mace-mpa-0"):
        load_potential("mace-mpa-0")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "EOFError"),
        (b"<html>not found</html>", "cannot load"),
        (pickle.dumps({"model": 1}), "cannot load"),
    ],
)
def test_file_that_is_no_model_is_one_clear_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "broken.model"
    path.write_bytes(content)
    with pytest.raises(PotentialError, match=message) as caught:
        load_potential(path, allow_pickle=True)
    assert "e3nn" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0.05, 0.9])
def test_truncated_pickle_is_one_clear_line(weights: Path, tmp_path: Path, kept: float) -> None:
    data = (weights / "tiny.model").read_bytes()
    path = tmp_path / "short.model"
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(PotentialError, match="truncated") as caught:
        load_potential(path, allow_pickle=True)
    assert "\n" not in str(caught.value)


def test_pickles_of_other_things_are_no_mace(tmp_path: Path) -> None:
    path = tmp_path / "linear.pt"
    for thing, name in ((torch.nn.Linear(2, 2), "Linear"), ({"model": {}}, "dict")):
        torch.save(thing, path)
        with pytest.raises(PotentialError, match=f"no MACE model; it holds a {name}"):
            load_potential(path, allow_pickle=True)


def test_model_of_a_missing_package_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "foreign.model"
    path.write_bytes(b"cno_such_package_at_all\nModel\n.")
    with pytest.raises(PotentialError, match="pickled under another e3nn"):
        load_potential(path, allow_pickle=True)


def test_truncated_safetensors_is_one_clear_line(weights: Path, tmp_path: Path) -> None:
    for name in ("architecture.json", "weights.safetensors"):
        (tmp_path / name).write_bytes((weights / "plain" / name).read_bytes())
    path = tmp_path / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(PotentialError, match="cannot rebuild") as caught:
        load_potential(tmp_path)
    assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(PotentialError, match=r"weights\.safetensors not found"):
        load_potential(tmp_path)


def test_missing_paths_and_unknown_names() -> None:
    with pytest.raises(PotentialError, match="there is no file"):
        load_potential("no/such/file.model")
    with pytest.raises(PotentialError, match=r"spelt alike are .*mace-omat-0"):
        load_potential("mace-omat0")


def test_bare_word_is_a_file_only_where_it_is_no_name(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLPHONON_OFFLINE", "1")
    for name in ("mine", "mace-mpa-0"):
        (tmp_path / name).symlink_to(weights / "plain")
    assert load_potential("mine").info.backend == "mace"
    assert load_potential("./mace-mpa-0").info.backend == "mace"
    with pytest.raises(PotentialError, match="MLPHONON_OFFLINE"):
        load_potential("mace-mpa-0")


def test_calculators_and_potentials_pass() -> None:
    potential = load_potential(EMT())
    assert potential.info.backend == "ase"
    assert load_potential(potential) is potential
    with pytest.raises(PotentialError, match="a int is no potential"):
        load_potential(3)  # type: ignore[arg-type]


def test_devices(weights: Path) -> None:
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    for device in ("gpu", "meta", "cuda:999"):
        with pytest.raises(PotentialError, match=f"device '{device}'"):
            load_potential(weights / "plain", device=device)
    if not torch.cuda.is_available():
        with pytest.raises(PotentialError, match="finds no GPU"):
            load_potential(weights / "plain", device="cuda")
    with pytest.raises(PotentialError, match="dtype 'float16'"):
        load_potential(weights / "plain", dtype="float16")


def test_heads(weights: Path) -> None:
    with pytest.raises(PotentialError, match="no head 'omol'"):
        load_potential(weights / "plain", head="omol")
