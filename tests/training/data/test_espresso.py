"""Quantum ESPRESSO labels silicon, which is collected and learnt: a real code from end to end."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from mlphonon.errors import TrainingError
from mlphonon.training.data.checks import check_data
from mlphonon.training.data.dft import load_code
from mlphonon.training.data.frame import TrainingData, join
from mlphonon.training.data.generation import distort
from mlphonon.training.data.label_files import files_to_label, label_files
from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.settings import Distortions
from mlphonon.training.data.store import write_data
from mlphonon.training.finetuning.compute import finetune
from mlphonon.training.finetuning.inputs import FinetuneInputs
from mlphonon.training.finetuning.settings import FinetuneSettings
from tests.training.data.test_labelling import write_settings

PSEUDOPOTENTIAL = Path("/usr/share/doc/quantum-espresso/examples/EPW/sic/pp/Si.pz-vbc.UPF.gz")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("pw.x") is None or not PSEUDOPOTENTIAL.is_file(),
        reason="needs Debian's quantum-espresso and quantum-espresso-data",
    ),
]


@pytest.fixture
def settings(tmp_path: Path) -> str:
    (tmp_path / "Si.UPF").write_bytes(gzip.decompress(PSEUDOPOTENTIAL.read_bytes()))
    return write_settings(tmp_path, "pw.x")


def test_four_displaced_cells_are_labelled_collected_and_learnt(
    settings: str, tmp_path: Path
) -> None:
    wanted = Distortions(kinds=("rattle", "strain"), per_crystal=4, max_atoms=8)
    structures = tmp_path / "to-label"
    structures.mkdir()
    for number, atoms in enumerate(distort(bulk("Si", a=5.38, cubic=True), "Si", wanted)):
        ase.io.write(structures / f"Si-{number}.extxyz", atoms)
    labelled = tmp_path / "labelled"
    code = load_code(settings, labelled / "work")
    assert label_files(files_to_label([structures]), code, labelled) == 4
    data = join(read_sources(sorted(labelled.glob("*.extxyz"))))
    assert {o.functional for o in data.origins} == {"LDA"}
    assert {o.code for o in data.origins} == {"espresso"}
    check_data(data)
    # A displaced atom is pulled back as silicon does it: its own force constant is 13 eV/A^2.
    frame = next(frame for frame in data.frames if frame.kind == "rattle")
    moved = frame.atoms.positions - bulk("Si", a=5.38, cubic=True).positions
    stiffness = -float((moved * frame.forces).sum() / (moved**2).sum())
    assert 8 < stiffness < 18
    assert np.abs(frame.forces.sum(axis=0)).max() < 1e-3
    write_data(TrainingData(data.frames), tmp_path / "data.h5")
    quick = FinetuneSettings(epochs=40, replay_steps=0, warmup_steps=1)
    card = finetune(FinetuneInputs(tmp_path / "data.h5"), quick, tmp_path / "tuned")
    assert card["samples"]["plain"] == 4
    lines = (tmp_path / "tuned" / "log.csv").read_text().splitlines()
    losses = [float(line.split(",")[4]) for line in lines[1:]]
    assert losses[-1] < 0.8 * losses[0]


def test_a_cycle_that_is_cut_short_is_refused(tmp_path: Path, settings: str) -> None:
    code = load_code(write_settings(tmp_path, "pw.x", cycles=2), tmp_path / "work")
    with pytest.raises(TrainingError, match="espresso did not converge on Si2"):
        code.evaluate([bulk("Si")])
