from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk

from mlphonon.potentials.mace.architecture import MaceArchitecture, load_weights, save_weights
from mlphonon.potentials.mace.fused import fuse_convolutions
from mlphonon.training.curvature.crystals import CellStore, CurvedCrystal, SmallCell, mode_errors
from mlphonon.training.curvature.frames import frame_errors, read_labelled
from mlphonon.training.curvature.job import CurvatureJob, CurvatureSettings, Sources, describe
from mlphonon.training.curvature.judging import judge, summary
from mlphonon.training.curvature.modes import ModeSpace
from mlphonon.training.curvature.split import is_validation
from mlphonon.training.data.folding import PeriodicConstants
from mlphonon.training.optimisation.trainer import Trainer
from mlphonon.training.packed_graphs import PackedGraphs
from mlphonon.training.quick_mace import QuickMace

SHAPE = MaceArchitecture(
    atomic_numbers=(8, 12, 14),
    atomic_energies=(-1.0, -2.0, -3.0),
    avg_num_neighbors=11.0,
    scale=1.0,
    r_max=4.0,
    hidden_irreps="8x0e",
    radial_mlp=(8,),
    readout_irreps="4x0e",
    first_interaction="RealAgnosticInteractionBlock",
)
PLACES = {8: 0, 12: 1, 14: 2}


def test_about_one_formula_in_ten_is_for_validation_always_the_same() -> None:
    names = [f"X{n}" for n in range(3000)]
    assert np.mean([is_validation(name) for name in names]) == pytest.approx(0.1, abs=0.02)
    # The rule is written down in the model card; a change of it would mix what was held out.
    assert [is_validation(name) for name in ("NaCl", "SiO2", "MgO", "Si")] == [False] * 4


def test_errors_along_modes_are_errors_of_frequencies() -> None:
    rng = np.random.default_rng(0)
    masses = np.array([10.0, 30.0, 60.0])
    hessian = crystal_like(rng, 3)
    space = ModeSpace.of(hessian, masses, floor=1e-6)
    # A change that is diagonal in the modes shifts each frequency by what the projection says.
    change = 0.002 * hessian
    shifted = ModeSpace.of(hessian + change, masses, floor=1e-6).frequencies
    for mode in range(len(space.frequencies)):
        direction = space.projection[mode]
        found = space.projection @ change @ direction
        assert found[mode] == pytest.approx(shifted[mode] - space.frequencies[mode], rel=2e-3)
        assert np.abs(np.delete(found, mode)).max() < 1e-9


def test_directions_hold_no_translation_and_have_unit_size() -> None:
    rng = np.random.default_rng(1)
    masses = np.array([1.0, 200.0])
    space = ModeSpace.of(crystal_like(rng, 2), masses)
    direction, size = space.draw(rng)
    assert np.square(direction).mean() == pytest.approx(1)
    assert size > 0
    # Momentum of the mass-weighted displacement vanishes.
    np.testing.assert_allclose((direction * masses[:, None]).sum(axis=0), 0, atol=1e-9)


def crystal_like(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return a positive Hessian that shifts of all atoms do not feel."""
    root = rng.normal(size=(6 * n, 3 * n))
    inside = np.eye(3 * n) - np.kron(np.ones((n, n)) / n, np.eye(3))
    return inside @ root.T @ root @ inside


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    found = SHAPE.build("float64").to(torch.float32)
    fuse_convolutions(found)
    return found


def hessian_of(quick: QuickMace, atoms: Atoms) -> np.ndarray:
    """Differentiate forces in double precision."""
    graph = PackedGraphs.of(atoms, PLACES, quick.r_max)
    exact = QuickMace(quick.model.double())
    graph = replace(graph, positions=graph.positions.double(), offsets=graph.offsets.double())
    found = torch.autograd.functional.hessian(
        lambda x: exact.node_energies(graph, x.view(-1, 3)).sum(), graph.positions.reshape(-1)
    ).numpy()
    quick.model.float()
    return found


def test_a_model_is_right_about_its_own_hessian_and_wrong_about_another(
    model: torch.nn.Module,
) -> None:
    atoms = bulk("MgO", "rocksalt", 4.1, cubic=True)
    quick = QuickMace(model)
    hessian = hessian_of(quick, atoms)
    graph = PackedGraphs.of(atoms, PLACES, quick.r_max)
    rng = np.random.default_rng(0)
    own = SmallCell(graph, ModeSpace.of(hessian, atoms.get_masses()))
    other = SmallCell(graph, ModeSpace.of(1.5 * hessian, atoms.get_masses()))
    scale = np.abs(own.modes.frequencies).mean()
    small, large = (
        float(mode_errors(quick, [cell], 3, rng, train=False).mean()) for cell in (own, other)
    )
    # One-sided differences over 0.003 A hear a per cent of the third order.
    assert small < 0.03 * scale
    assert large > 5 * small


def test_frequencies_are_judged_by_those_of_dft(model: torch.nn.Module) -> None:
    atoms = bulk("MgO", "rocksalt", 4.1)
    quick = QuickMace(model)
    exact = hessian_of(quick, atoms)
    store = CellStore(PLACES, quick.r_max)
    crystals = [
        CurvedCrystal(name, "MgO", at_rest(atoms, factor * exact), (np.eye(3, dtype=int),), 2, 1.0)
        for name, factor in (("same", 1.0), ("softer", 0.81))
    ]
    same, softer = judge(quick, crystals, store)
    assert same.mae < 2e-3 * abs(same.lowest_dft)
    assert same.slope == pytest.approx(1, abs=1e-3)
    # Its force constants are 0.81 of the model's, its frequencies 0.9.
    assert softer.slope == pytest.approx(1 / 0.9, rel=2e-3)
    assert softer.bias == pytest.approx(np.copysign(softer.mae, softer.bias))
    numbers = summary([same, softer])
    assert numbers["crystals"] == 2
    assert numbers["mae_mean"] == pytest.approx((same.mae + softer.mae) / 2)


def at_rest(atoms: Atoms, hessian: np.ndarray) -> PeriodicConstants:
    n = len(atoms)
    return PeriodicConstants(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        positions=atoms.positions,
        lattice=np.eye(3, dtype=int),
        kinds=np.arange(n),
        shifts=np.zeros((n, 3), dtype=int),
        constants=hessian.reshape(n, 3, n, 3).transpose(0, 2, 1, 3),
    )


def write_frames(path: Path, n: int = 6) -> None:
    rng = np.random.default_rng(0)
    frames = []
    for number in range(n):
        atoms = bulk("MgO", "rocksalt", 4.1 + 0.02 * number)
        atoms.rattle(0.05, rng=rng)
        atoms.info = {"material_id": str(number), "config": "near", "REF_energy": -9.0 + number}
        atoms.info["REF_stress"] = (0.01 * np.eye(3)).tolist()
        atoms.arrays["REF_forces"] = rng.normal(size=(2, 3))
        frames.append(atoms)
    ase.io.write(path, frames, format="extxyz")


def test_labels_of_the_model_itself_are_met(model: torch.nn.Module, tmp_path: Path) -> None:
    write_frames(tmp_path / "f.extxyz", 2)
    quick = QuickMace(model)
    frames, held = read_labelled([tmp_path / "f.extxyz"], PLACES, quick.r_max)
    assert (len(frames), len(held)) == (2, 0)
    first = frame_errors(quick, frames, train=False)
    for frame in frames:
        forces = quick.forces(frame.graph, frame.graph.positions)
        bound = quick.node_energies(frame.graph, frame.graph.positions).sum()
        whole = float(bound.detach()) + float(quick.free_energies(frame.graph))
        frame.atoms.info["REF_energy"] = whole
        frame.atoms.arrays["REF_forces"] = forces.numpy()
    again = frame_errors(quick, frames, train=False)
    assert float(again.forces.max()) < 1e-4 < float(first.forces.min())
    assert float(again.energy.max()) < 1e-5


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    torch.manual_seed(0)
    start, constants = tmp_path / "start", tmp_path / "constants"
    for folder in (start, constants):
        folder.mkdir()
    model = SHAPE.build("float64")
    save_weights(model, SHAPE, start)
    fuse_convolutions(model)
    atoms = bulk("MgO", "rocksalt", 4.1)
    springs = np.kron([[1.0, -1.0], [-1.0, 1.0]], 10 * np.eye(3))
    at_rest(atoms, springs).save(constants / "mp-1.npz")
    write_frames(tmp_path / "f.extxyz")
    return Sources(start, constants, (tmp_path / "f.extxyz",))


def test_training_lowers_the_errors_and_a_stopped_run_goes_on_to_the_bit(
    sources: Sources, tmp_path: Path
) -> None:
    settings = CurvatureSettings(
        epochs=30, warmup_steps=1, checkpoint_minutes=0, learning_rate=0.02, ema_decay=0.8
    )
    job = CurvatureJob(sources, settings)
    assert describe(job)["crystals"] == 1
    # What is learnt is judged here, as there is nothing else.
    job.held, job.held_frames = job.training, job.frames
    before, _ = job.validate(job.build())
    run(job, tmp_path / "run")
    trained = load_weights(tmp_path / "run", "float64").float()
    fuse_convolutions(trained)
    after, score = job.validate(trained)
    assert score is not None
    assert after["modes_THz"] < 0.5 * before["modes_THz"]
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["epochs"] == 30
    flat = {"decay_fraction": 1e-9}
    for folder, lengths in (("stopped", (2.0, 6.0)), ("straight", (6.0,))):
        for epochs in lengths:
            part = CurvatureJob(sources, settings.model_copy(update=flat | {"epochs": epochs}))
            part.held, part.held_frames = part.training, part.frames
            run(part, tmp_path / folder)
    found = [tmp_path / name / "weights.safetensors" for name in ("stopped", "straight")]
    assert found[0].read_bytes() == found[1].read_bytes()


def run(job: CurvatureJob, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    Trainer(job, folder, say=lambda line: None).run()
