"""Training data and folders that strangers, mistakes and full disks have touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from mlphonon.errors import ResultError, SettingsError, TrainingError
from mlphonon.io.scratch import MARK, ScratchFolder
from mlphonon.potentials.calculator import AsePotential
from mlphonon.training.data.dft import load_code
from mlphonon.training.data.frame import Frame, Origin, TrainingData
from mlphonon.training.data.label_files import files_to_label, label_files
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.settings import Distortions
from mlphonon.training.data.store import read_data, write_data
from mlphonon.training.from_scratch.compute import prepare
from mlphonon.training.from_scratch.settings import Recipe
from mlphonon.training.optimisation.checkpoint import FILE, load_checkpoint, save_checkpoint
from tests.cli.conftest import EXAMPLES, Call


class Evil:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return (os.mkdir, (str(self.mark),))


@pytest.fixture
def copper(tmp_path: Path) -> Path:
    """A file of one displaced crystal in a folder of its own."""
    folder = tmp_path / "structures"
    folder.mkdir()
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.05, seed=1)
    ase.io.write(folder / "Cu.extxyz", atoms)
    return folder / "Cu.extxyz"


def frame(symbol: str = "Cu") -> Frame:
    atoms = bulk(symbol, cubic=True)
    atoms.rattle(0.05, seed=1)
    atoms.calc = EMT()
    forces, energy = atoms.get_forces(), atoms.get_potential_energy()
    atoms.calc = None
    return Frame(atoms, forces, energy, None, symbol, "rattle", Origin("here", "EMT", "ase"))


def refusal(action: Callable[[], object], kind: type[Exception] = TrainingError) -> str:
    """Return the one line that an action ends in."""
    with pytest.raises(kind) as caught:
        action()
    line = str(caught.value)
    assert "\n" not in line and len(line) < 1000
    return line


# Nothing in a folder is unpickled.


def test_a_checkpoint_that_holds_code_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save({"format": 2, "identity": [], "evil": Evil(mark)}, tmp_path / FILE)
    assert "cannot read the checkpoint" in refusal(lambda: load_checkpoint(tmp_path, []))
    assert not mark.exists()


def test_no_module_of_training_unpickles() -> None:
    import mlphonon.training

    for path in Path(mlphonon.training.__path__[0]).rglob("*.py"):
        text = path.read_text()
        assert "weights_only=False" not in text, path
        assert text.count("torch.load(") == text.count("weights_only=True"), path
        assert "import pickle" not in text and "allow_pickle=True" not in text, path


def test_a_checkpoint_that_cannot_be_written_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, {"identity": ["a"], "step": 1})
    written = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        written(path, content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save_checkpoint(tmp_path, {"identity": ["a"], "step": 2})
    assert load_checkpoint(tmp_path, ["a"])["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_damaged_checkpoints_are_one_line(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"identity": ["a"], "step": 1})
    whole = (tmp_path / FILE).read_bytes()
    for damaged in (b"", b"nothing", whole[:300], whole[: len(whole) // 2]):
        (tmp_path / FILE).write_bytes(damaged)
        assert "move it away" in refusal(lambda: load_checkpoint(tmp_path, ["a"]))
    torch.save({"format": 99, "identity": ["a"]}, tmp_path / FILE)
    assert "has format 99" in refusal(lambda: load_checkpoint(tmp_path, ["a"]))
    torch.save([1, 2], tmp_path / FILE)
    assert "cannot read the checkpoint" in refusal(lambda: load_checkpoint(tmp_path, ["a"]))


# Files of the user's stay.


def settings_file(tmp_path: Path) -> str:
    path = tmp_path / "emt.yaml"
    path.write_text("functional: EMT\n")
    return f"ase:emt:{path}"


def test_a_folder_called_work_is_not_emptied(call: Call, copper: Path, tmp_path: Path) -> None:
    """As when -o . was given where the user has a folder of that name."""
    thesis = tmp_path / "work" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("ten years")
    options = ("--with", settings_file(tmp_path), "-o", ".")
    line = call("dataset", "label", copper.parent, *options).refusal()
    assert "work is there already and is not a scratch folder" in line
    assert thesis.read_text() == "ten years"


def test_only_marked_folders_are_scratch(tmp_path: Path) -> None:
    scratch = ScratchFolder(tmp_path / "work")
    (scratch.path / "out.log").write_text("old")
    (scratch.path / "kept").mkdir()
    target = tmp_path / "target"
    target.write_text("mine")
    (scratch.path / "link").symlink_to(target)
    scratch.empty()
    assert sorted(path.name for path in scratch.path.iterdir()) == [MARK, "kept"]
    assert target.read_text() == "mine"
    ScratchFolder(tmp_path / "work")
    (scratch.path / MARK).unlink()
    assert "not a scratch folder" in refusal(scratch.empty, ResultError)
    (tmp_path / "other").symlink_to(tmp_path / "work")
    refusal(lambda: ScratchFolder(tmp_path / "other"), ResultError)
    refusal(lambda: ScratchFolder(target), ResultError)
    refusal(lambda: load_code(settings_file(tmp_path), target), ResultError)


def test_a_potential_is_not_written_over_by_what_is_made_of_it(call: Call, tmp_path: Path) -> None:
    write_data(TrainingData((frame(), frame("Al"))), tmp_path / "data.h5")
    (tmp_path / "mine").mkdir()
    model = tmp_path / "mine" / "potential.model"
    model.write_bytes(b"months of work")
    for potential in ("mine", "mine/potential.model"):
        line = call("finetune", "data.h5", "--potential", potential, "-o", "mine").refusal()
        assert "would be written over" in line
    assert model.read_bytes() == b"months of work"


# Labels.


def test_the_input_is_not_taken_for_the_output(copper: Path) -> None:
    before = copper.read_bytes()
    line = refusal(lambda: label_files([copper], AsePotential(EMT()), copper.parent))
    assert "would be written over by its own labels" in line
    assert copper.read_bytes() == before


def test_labels_of_another_kind_are_not_taken_for_done(copper: Path, tmp_path: Path) -> None:
    teacher, out = AsePotential(EMT(), name="one"), tmp_path / "out"
    assert label_files([copper], teacher, out, directions=1) == 1
    assert label_files([copper], AsePotential(EMT(), name="one"), out, directions=1) == 0
    labelled = (out / "Cu.extxyz").read_bytes()
    other = AsePotential(EMT(), name="two")
    for action in (
        lambda: label_files([copper], other, out, directions=1),
        lambda: label_files([copper], teacher, out, directions=2),
        lambda: label_files([copper], teacher, out, directions=1, seed=2),
    ):
        assert "holds other labels" in refusal(action)
    ase.io.write(copper, bulk("Cu", cubic=True))
    assert "holds other labels" in refusal(lambda: label_files([copper], teacher, out, 1))
    assert (out / "Cu.extxyz").read_bytes() == labelled


def no_volume(atoms: Atoms) -> None:
    atoms.set_cell(np.zeros((3, 3)))


def nowhere(atoms: Atoms) -> None:
    atoms.positions[0, 0] = np.nan


def far_away(atoms: Atoms) -> None:
    atoms.positions[0, 0] = -1e308


@pytest.mark.parametrize("damage", [no_volume, nowhere, far_away])
def test_what_is_no_crystal_is_not_labelled(
    damage: Callable[[Atoms], None], copper: Path, tmp_path: Path
) -> None:
    atoms = ase.io.read(copper)
    damage(atoms)
    ase.io.write(copper, atoms)
    files = files_to_label([copper])
    refusal(lambda: label_files(files, AsePotential(EMT()), tmp_path / "out"), ResultError)
    assert not list((tmp_path / "out").glob("*.extxyz"))
    atoms.calc = EMT()
    with pytest.raises(ValueError, match=r"position or lattice vector|no volume"):
        Frame(atoms, np.zeros((4, 3)), 0.0, None, "Cu", "rattle", Origin("here"))


@pytest.mark.parametrize("amplitude", ["inf", "nan", "1e308", "-1"])
def test_displacements_without_bounds_are_refused(
    amplitude: str, call: Call, tmp_path: Path
) -> None:
    options = ("--amplitude", amplitude, "-o", "out")
    assert "'amplitude'" in call("dataset", "generate", EXAMPLES / "Si.cif", *options).refusal()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"kinds": ()}, "kinds"),
        ({"kinds": ("",)}, "kinds"),
        ({"distance": np.inf}, "distance"),
        ({"strain": np.nan}, "strain"),
        ({"max_atoms": 10**12}, "max_atoms"),
        ({"per_crystal": 10**12}, "per_crystal"),
        ({"temperature": 1e308}, "temperature"),
        ({"min_length": 1e308}, "min_length"),
        ({"seed": -1}, "seed"),
    ],
)
def test_distortions_have_bounds(changes: dict[str, object], name: str) -> None:
    assert f"'{name}'" in refusal(lambda: Distortions.make(**changes), SettingsError)


# Files of data.


def test_an_announcement_of_too_many_atoms_does_not_loop(tmp_path: Path) -> None:
    path = tmp_path / "long.extxyz"
    path.write_text("999999999999\nLattice='1 0 0 0 1 0 0 0 1'\nCu 0 0 0\n")
    assert "announces 999999999999 atoms" in refusal(lambda: read_sources([path]))
    refusal(lambda: label_files([path], AsePotential(EMT()), tmp_path / "out"), ResultError)


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.extxyz"
    os.mkfifo(pipe)
    assert "there is no file" in refusal(lambda: read_sources([pipe]))
    assert "there is no file" in refusal(lambda: files_to_label([pipe]))
    assert "there is no file" in refusal(lambda: read_data(pipe))


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5 itself never sees the disk: it ended the process when that was full."""
    path = tmp_path / "data.h5"
    before = write_data(TrainingData((frame(),)), path)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_data(TrainingData((frame("Al"),)), path)
    monkeypatch.undo()
    assert [one.name for one in tmp_path.iterdir()] == ["data.h5"]
    assert read_data(path).formulas == ("Cu",)
    assert before == write_data(TrainingData((frame(),)), path)


COLUMNS = ("counts", "numbers", "positions", "cells", "forces", "energies", "stresses")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sound") / "data.h5"
    write_data(TrainingData((frame(), frame("Al"))), path)
    return path


def changed(sound: Path, path: Path, name: str, values: object) -> Path:
    """Return a copy of a data set in which one column is another."""
    shutil.copy(sound, path)
    with h5py.File(path, "a") as file:
        del file[f"frames/{name}"]
        file[f"frames/{name}"] = values
    return path


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("wrong", ["text", "short", "complex", "group"])
def test_columns_of_another_kind_or_length_are_one_line(
    name: str, wrong: str, sound: Path, tmp_path: Path
) -> None:
    with h5py.File(sound) as file:
        right = file[f"frames/{name}"][:]
    path = tmp_path / "data.h5"
    if wrong == "group":
        shutil.copy(sound, path)
        with h5py.File(path, "a") as file:
            del file[f"frames/{name}"]
            file.create_group(f"frames/{name}/inside")
    else:
        values = {"text": b"abc", "short": right[:-1], "complex": right.astype(complex)}
        changed(sound, path, name, values[wrong])
    assert "cannot read training data" in refusal(lambda: read_data(path))


@pytest.mark.parametrize("name", ["counts", "direction_counts"])
@pytest.mark.parametrize("values", [[-4, 12], [2**62, 2**62], [4, 10**12], [0, 8], [4, 5]])
def test_counts_that_cannot_be_are_one_line(
    name: str, values: list[int], sound: Path, tmp_path: Path
) -> None:
    """Wrong numbers, and success, is what came of them."""
    path = changed(sound, tmp_path / "data.h5", name, np.array(values))
    assert "cannot read training data" in refusal(lambda: read_data(path))


def test_columns_that_are_larger_than_the_file_are_not_made_room_for(
    sound: Path, tmp_path: Path
) -> None:
    path = tmp_path / "data.h5"
    shutil.copy(sound, path)
    with h5py.File(path, "a") as file:
        del file["frames/positions"]
        file.create_dataset("frames/positions", shape=(10**13, 3), dtype=float, chunks=(1024, 3))
    assert "is not complete" in refusal(lambda: read_data(path))


def test_elements_that_there_are_not_are_one_line(sound: Path, tmp_path: Path) -> None:
    for wrong in (0, -5, 119, 10**9):
        path = changed(sound, tmp_path / "data.h5", "numbers", np.full(8, wrong))
        assert "cannot read training data" in refusal(lambda: read_data(path))  # noqa: B023


def test_empty_training_data_are_one_line(call: Call, tmp_path: Path) -> None:
    write_data(TrainingData(), tmp_path / "empty.h5")
    assert "no structure" in refusal(lambda: prepare(Recipe(), [tmp_path / "empty.h5"]))
    line = call("finetune", "empty.h5", "-o", "out").refusal()
    assert "holds nothing to learn from" in line
    (tmp_path / "empty.extxyz").write_text("")
    refusal(lambda: read_sources([tmp_path / "empty.extxyz"]))


@pytest.mark.parametrize(
    ("option", "value", "name"),
    [("--lora", "1000000", "lora"), ("--epochs", "inf", "epochs"), ("--epochs", "1e308", "epochs")],
)
def test_fine_tuning_has_bounds(
    option: str, value: str, name: str, call: Call, tmp_path: Path
) -> None:
    line = call("finetune", "none.h5", option, value, "-o", "out").refusal()
    assert f"'{name}'" in line
    assert not (tmp_path / "out").exists()


# Several processes.


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="needs Linux's /proc")
def test_processes_of_a_training_listen_on_the_loopback_interface_only(tmp_path: Path) -> None:
    """The store at which they met listened on all interfaces, to anybody."""
    import torch.multiprocessing as mp

    mp.spawn(listening, args=(str(tmp_path),), nprocs=2)
    addresses = {line for path in tmp_path.glob("listening-*") for line in path.read_text().split()}
    assert len(list(tmp_path.glob("listening-*"))) == 2
    assert {address.split(":")[0] for address in addresses} <= {"0100007F"}


def listening(rank: int, folder: str) -> None:
    """Join, and note the local addresses of this process's listening sockets."""
    import torch.distributed as dist

    from mlphonon.training.optimisation.processes import join_processes

    join_processes(Path(folder), rank, 2)
    total = torch.ones(1)
    dist.all_reduce(total)
    assert float(total) == 2.0
    mine = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if exists(fd)}
    own = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A" and f"socket:[{parts[9]}]" in mine:
                own.append(parts[1])
    (Path(folder) / f"listening-{rank}").write_text("\n".join(own))
    dist.destroy_process_group()


def exists(descriptor: str) -> bool:
    return os.path.islink(f"/proc/self/fd/{descriptor}")
