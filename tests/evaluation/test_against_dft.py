"""The whole evaluation in one call."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlphonon import Phonons, load_potential
from mlphonon.errors import ResultError
from mlphonon.evaluation import Protocol, ReferenceSet, Scores, evaluate
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.potentials.potential import Potential

from .conftest import PROTOCOL


def test_a_result_of_ours_is_a_reference_for_the_same_potential(
    rocksalt_phonons: Phonons, rocksalt_springs: Potential, tmp_path: Path
) -> None:
    rocksalt_phonons.save(tmp_path / "data" / "salt")
    protocol = Protocol(displacement=0.01)
    scores = evaluate(rocksalt_springs, "folder", data=tmp_path / "data", protocol=protocol)
    assert isinstance(scores, Scores)
    assert scores.keys == {"salt"}
    assert list(scores.manifest.reference_files) == ["salt/phonopy_params.yaml"]
    assert scores.mean("mae_THz", absolute=True).value < 1e-4
    assert scores.mean("slope", "dft", absolute=False).value == pytest.approx(1.0, abs=1e-5)
    assert scores.curves("salt") is None, "nothing was kept"


def test_a_set_of_ones_own_making(
    reference: ReferenceCrystal, springs: Potential, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("made of springs")
    made = ReferenceSet(
        name="quartz",
        description="one",
        source="here",
        licence="MIT",
        functional="springs",
        files=(),
        read=lambda _folder: {reference.key: lambda: reference},
        patterns=("*.txt",),
    )
    kept = tmp_path / "kept"
    scores = evaluate(springs, made, data=tmp_path, protocol=PROTOCOL, folder=kept)
    assert scores.mean("mae_THz", absolute=True).value < 1e-4
    assert scores.curves(reference.key) is not None
    # Paths may be text, here and where results are read.
    again = evaluate(springs, made, data=str(tmp_path), protocol=PROTOCOL, folder=str(kept))
    assert {one.key for one in Scores.read(str(kept)).crystals} == {reference.key}
    assert again.crystals == scores.crystals, "nothing is computed twice: the seconds are the same"
    (tmp_path / "notes.txt").write_text("changed")
    with pytest.raises(ResultError, match="another run; reference_files differ"):
        evaluate(springs, made, data=tmp_path, protocol=PROTOCOL, folder=kept)


def test_what_is_not_there_is_one_line(tmp_path: Path) -> None:
    springs = load_potential("embedded", device="cpu")
    with pytest.raises(ResultError, match="--data"):
        evaluate(springs, "folder")
    with pytest.raises(ResultError, match="spelt alike"):
        evaluate(springs, "phonondb", data=tmp_path)
