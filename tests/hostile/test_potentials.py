"""Potentials as strangers send them: refused in one line, before they cost memory or run code."""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

import mlphonon.potentials
from mlphonon import load_potential
from mlphonon.errors import PotentialError
from mlphonon.io.npz import NpzError, read_npz
from mlphonon.potentials.cached_answers import cache_answers
from mlphonon.potentials.mace.architecture import MaceArchitecture, save_weights
from mlphonon.potentials.named import downloading
from mlphonon.potentials.named.catalogue import read_catalogue
from mlphonon.potentials.named.downloading import DownloadError, download
from mlphonon.potentials.potential import Potential
from mlphonon.potentials.training_space import load_training_space
from tests.cli.conftest import Call
from tests.helpers.crystals import rocksalt
from tests.helpers.tiny_mace import TINY


def refusal(potential: Any, **options: Any) -> str:
    """Return the one line with which a potential is refused, soon and without much memory."""
    process, begun = psutil.Process(), time.monotonic()
    before = process.memory_info().rss
    with pytest.raises(PotentialError) as caught:
        load_potential(potential, device="cpu", **options)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 1500
    assert process.memory_info().rss - before < 5e8
    assert time.monotonic() - begun < 60
    return line


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of weights and architecture that belong together."""
    torch.manual_seed(0)
    save_weights(TINY.build("float32"), TINY, tmp_path / "weights")
    return tmp_path / "weights"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"correlation": 50}, "correlation"),
        ({"correlation": 4, "max_ell": 3}, "tables"),
        ({"correlation": 3, "max_ell": 8}, "tables"),
        ({"max_ell": 10**9}, "max_ell"),
        ({"hidden_irreps": "99999x0e"}, "hidden_irreps"),
        ({"hidden_irreps": "9999x0e"}, "too large"),
        ({"hidden_irreps": "1000x0e"}, "fewer weights"),
        ({"hidden_irreps": "4x99999e"}, "hidden_irreps"),
        ({"hidden_irreps": "4x0e+" * 10**5 + "4x0e"}, "hidden_irreps"),
        ({"hidden_irreps": "no irreps"}, "hidden_irreps"),
        ({"readout_irreps": "99999x0e"}, "readout_irreps"),
        ({"num_interactions": 10**6}, "num_interactions"),
        ({"num_bessel": 10**9}, "num_bessel"),
        ({"radial_mlp": [10**9]}, "radial_mlp"),
        ({"radial_mlp": [8] * 10**4}, "radial_mlp"),
        ({"radial_mlp": []}, "radial_mlp"),
        ({"r_max": 1e9}, "r_max"),
        ({"atomic_numbers": list(range(1, 10**4))}, "atomic_numbers"),
        ({"atomic_numbers": [11, 11]}, "twice"),
        ({"atomic_numbers": []}, "atomic_numbers"),
        ({"atomic_energies": [1.0]}, "atomic_energies"),
        ({"atomic_energies": [1.0, float("nan")]}, "atomic_energies"),
        ({"scale": float("inf")}, "scale"),
        ({"interaction": "os.system"}, "interaction"),
        ({"distance_transform": "eval"}, "distance_transform"),
        ({"evil": "x" * 10**5}, "evil"),
    ],
)
def test_an_absurd_architecture_is_refused_before_it_is_built(
    folder: Path, changes: dict[str, Any], word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MaceArchitecture, "build", lambda *_: pytest.fail("it is built"))
    path = folder / "architecture.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert word in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[1, 2]",
        b"{" * 50_000,
        b"[" * 50_000 + b"]" * 50_000,
        b'{"r_max": ' + b"9" * 5_000 + b"}",
        b" " * 2_000_000,
        b'{"atomic_numbers": [11, 17]}',
    ],
)
def test_what_is_no_architecture_is_one_line(folder: Path, content: bytes) -> None:
    (folder / "architecture.json").write_bytes(content)
    assert "architecture.json" in refusal(folder)


def test_the_largest_architectures_in_use_are_allowed() -> None:
    many = {"atomic_numbers": range(1, 90), "atomic_energies": [0.0] * 89}
    for shape in (
        {"hidden_irreps": "256x0e + 256x1o + 256x2e", "max_ell": 3, "correlation": 3},
        {"hidden_irreps": "512x0e", "radial_mlp": [64, 64, 64], "r_max": 6.0},
        {"max_ell": 2, "correlation": 4},
    ):
        MaceArchitecture(**(TINY.model_dump() | many | shape))


def test_weights_that_do_not_fit_or_are_damaged_are_one_line(folder: Path) -> None:
    path = folder / "weights.safetensors"
    sound, weights = path.read_bytes(), load_file(path)
    name = next(iter(weights))
    for spoilt in (
        weights | {name: torch.zeros(3)},
        weights | {"evil": torch.zeros(3)},
        {name: weights[name]},
        {one: value.to(torch.int64) for one, value in weights.items() if one != name},
    ):
        save_file(spoilt, path)
        assert "cannot rebuild" in refusal(folder)
    rng = np.random.default_rng(0)
    for content in (
        b"",
        sound[: len(sound) // 2],
        b"\xff" * 8 + sound[8:],
        (2**40).to_bytes(8, "little") + sound[8:],
        rng.bytes(len(sound)),
    ):
        path.write_bytes(content)
        assert "cannot rebuild" in refusal(folder)


def test_weights_that_are_no_numbers_are_refused_where_they_are_used(folder: Path) -> None:
    path = folder / "weights.safetensors"
    save_file({name: value * np.nan for name, value in load_file(path).items()}, path)
    with pytest.raises(PotentialError, match="not a number"):
        load_potential(folder, device="cpu").evaluate([rocksalt()])


@pytest.mark.parametrize("place", ["potential", "architecture.json", "weights.safetensors"])
def test_pipes_and_devices_are_not_waited_for(folder: Path, place: str) -> None:
    target = folder.with_suffix(".model") if place == "potential" else folder / place
    target.unlink(missing_ok=True)
    os.mkfifo(target)
    given = target if place == "potential" else folder
    assert "pipe" in refusal(given) or "not found" in refusal(given)
    target.unlink()
    target.symlink_to("/dev/zero")
    assert "device" in refusal(given) or "not found" in refusal(given)


@pytest.fixture(scope="module")
def space() -> dict[str, np.ndarray]:
    return read_npz(Path(mlphonon.potentials.__path__[0]) / "embedded" / "training_space.npz")


def refused_space(path: Path) -> None:
    with pytest.raises(PotentialError, match=path.name) as caught:
        load_training_space(path)
    assert "\n" not in str(caught.value)


SPOILT: dict[str, Callable[[dict[str, np.ndarray]], dict[str, Any]]] = {
    "axes of one dimension": lambda _: {"axes": np.zeros(3)},
    "axes of text": lambda _: {"axes": np.array([["text"]])},
    "one element": lambda _: {"elements": np.float64(3)},
    "negative counts": lambda space: {"counts": -space["counts"]},
    "elements in no order": lambda space: {"elements": space["elements"][::-1]},
    "too few codes": lambda space: {"codes": space["codes"][:-1]},
    "two resolutions": lambda _: {"resolution": np.array([1.0, 2.0])},
    "no numbers": lambda space: {"centres": np.full_like(space["centres"], np.nan)},
    "steps of text": lambda space: {"steps": np.array(["x"] * len(space["steps"]))},
    "a pickle": lambda _: {"axes": np.array([print], dtype=object)},
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_training_space_of_a_stranger_is_one_line(
    name: str, space: dict[str, np.ndarray], tmp_path: Path
) -> None:
    np.savez(tmp_path / "spoilt.npz", allow_pickle=True, **(space | SPOILT[name](space)))
    refused_space(tmp_path / "spoilt.npz")


def test_what_is_no_training_space_is_one_line(
    space: dict[str, np.ndarray], tmp_path: Path
) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, **{name: array for name, array in space.items() if name != "axes"})
    refused_space(path)
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    refused_space(path)


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", zeros=np.zeros(10**6))
    assert (tmp_path / "bomb.npz").stat().st_size < 20_000
    assert read_npz(tmp_path / "bomb.npz")["zeros"].shape == (10**6,)
    with pytest.raises(NpzError, match="unpacks to 8000128 bytes"):
        read_npz(tmp_path / "bomb.npz", max_bytes=10**6)


PROGRAMS = {
    "cat": "/bin/cat",
    "yes": shutil.which("yes"),
    "true": shutil.which("true"),
    "text": None,
    "garbage": None,
    "silent": None,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_no_python_is_one_line(name: str, tmp_path: Path) -> None:
    program = Path(PROGRAMS[name] or tmp_path / name)
    if name == "text":
        program.write_text("no program at all")
    if name in ("garbage", "silent"):
        code = (
            "import sys; sys.stdout.buffer.write(bytes([9, 0, 0, 0, 0, 0, 0, 0]) + b'{\"a\": [1}')"
        )
        program.write_text(f"#!{sys.executable}\n{code if name == 'garbage' else ''}\n")
    if not program.exists():
        pytest.skip(f"no {name} here")
    if PROGRAMS[name] is None:
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    line = refusal(f"python:{program}:a:b")
    assert any(word in line for word in ("as a worker does", "exit code", "cannot run"))
    assert not [child for child in psutil.Process().children() if name in child.name()]


def test_answers_of_wrong_shapes_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(
        "import numpy as np\n"
        "class Odd:\n"
        "    implemented_properties, device = ['energy', 'forces', 'stress'], 'cpu'\n"
        "    def prepare(self, atoms): return atoms\n"
        "    def edges(self, atoms): return 1\n"
        "    def evaluate(self, many):\n"
        "        return [(0.0, np.zeros((1, 3)), np.zeros((3, 3))) for _ in many]\n"
    )
    potential = load_potential(f"python:{sys.executable}:{tmp_path}/odd.py:Odd")
    with pytest.raises(PotentialError, match="wrong shapes; forces \\(1, 3\\)"):
        potential.evaluate([rocksalt()])


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "pickle", "other", "pipe"])
def test_a_damaged_cached_answer_is_computed_again(
    embedded: Potential, tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    atoms = rocksalt()
    first = cache_answers(embedded, tmp_path).evaluate([atoms])[0]
    (path,) = tmp_path.glob("*.npz")
    sound = path.read_bytes()
    if damage == "cut":
        path.write_bytes(sound[: len(sound) // 2])
    elif damage == "garbage":
        middle = len(sound) // 2
        path.write_bytes(sound[:middle] + bytes(40) + sound[middle + 40 :])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "pickle":
        np.savez(path, allow_pickle=True, **{path.stem: np.array([print], dtype=object)})
    elif damage == "other":
        np.savez(path, **{path.stem: np.zeros(4)})
    else:
        path.unlink()
        os.mkfifo(path)
    again = cache_answers(embedded, tmp_path).evaluate([atoms])[0]
    assert again.energy == first.energy
    np.testing.assert_array_equal(again.forces, first.forces)
    if damage != "other":
        assert "is damaged" in caplog.text and path.name in caplog.text
    caplog.clear()
    cache_answers(embedded, tmp_path).evaluate([atoms])
    assert not caplog.text, "the second time it was found"


PACKAGED = """
[evil]
family = "chgnet"
packaged = "{path}"
licence = "MIT"
reference = "none"
training_set = "none"
functional = "none"
"""


@pytest.mark.parametrize(
    "path", ["../../secret", "a/../../b", "/etc/passwd", "a//b", "", "..", "a/.hidden", "a\\\\b"]
)
def test_packaged_weights_lie_below_the_packages(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "catalogue.toml").write_text(PACKAGED.format(path=path))
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(tmp_path / "catalogue.toml"))
    with pytest.raises(PotentialError, match=r"packaged: .* is no path below") as caught:
        read_catalogue()
    assert "\n" not in str(caught.value)


def test_contents_of_a_folder_are_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PACKAGED.format(path="a/b").replace('packaged = "a/b"', 'contents = ["../x"]')
    (tmp_path / "catalogue.toml").write_text(text)
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(tmp_path / "catalogue.toml"))
    with pytest.raises(PotentialError, match="contents"):
        read_catalogue()


class _Hostile(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        if "announced" in self.path:
            self.send_header("Content-Length", str(10**12))
        self.end_headers()
        try:
            while not self.server.closing:  # type: ignore[attr-defined]
                self.wfile.write(b"x" if "drip" in self.path else bytes(1 << 16))
                self.wfile.flush()
                time.sleep(0.05 if "drip" in self.path else 0.0)
        except OSError:
            return  # the other side has had enough

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test output clean."""


@pytest.fixture
def url() -> Iterator[str]:
    """Serve files that do not end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    server.closing = False  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.closing = True  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("route", ["endless", "announced"])
def test_a_download_has_a_size(url: str, route: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="more than the 1000000 bytes"):
        download(f"{url}/{route}", tmp_path / "part", 1_000_000, progress=False)
    assert (tmp_path / "part").stat().st_size <= 1_000_000


def test_a_download_has_a_time(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "HEAD_START", 0.5)
    begun = time.monotonic()
    with pytest.raises(DownloadError, match="more slowly than 30 kB/s"):
        download(f"{url}/drip", tmp_path / "part", 1_000_000, progress=False)
    assert time.monotonic() - begun < 10


def test_a_download_follows_no_link_that_was_laid(url: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "part").symlink_to(victim)
    with pytest.raises(FileExistsError):
        download(f"{url}/endless", tmp_path / "part", 1_000_000, progress=False)
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["x" * 10_000, "\x1b[31mred", "a\nb", "[/red]", "\udcff"])
def test_a_name_of_a_potential_is_not_echoed_at_length(call: Call, name: str) -> None:
    line = call("potentials", "info", name).refusal()
    assert len(line) < 1500 and "\x1b" not in line
