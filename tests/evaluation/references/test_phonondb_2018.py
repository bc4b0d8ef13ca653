from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.catalogue import find_reference, read_reference
from mlphonon.evaluation.references.folder import folder_reference
from mlphonon.training.data.reading import read_sources
from tests.helpers.classic import classic_files, rocksalt, write_archive


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "phonondb-2018" / "phonon_db_tarred"
    place.mkdir(parents=True)
    write_archive(place / "materials-id-22862-nacl-fm-3m-225.tar.lzma", classic_files())
    broken = classic_files() | {"FORCE_SETS": "64\n1\n"}
    write_archive(place / "materials-id-7-s-p2-c-13.tar.lzma", broken)
    return tmp_path


def test_the_repositorys_archives_are_a_set_by_name(repository: Path) -> None:
    reference = find_reference("phonondb-2018")
    crystals = reference.read(repository)
    assert sorted(crystals) == ["mp-22862", "mp-7"]
    found = crystals["mp-22862"]()
    assert found.qpoints is not None
    assert found.spectrum is not None
    expected = rocksalt().run_qpoints(found.qpoints[:5]).frequencies
    np.testing.assert_allclose(found.spectrum.frequencies[:5], expected, atol=1e-4)


def test_a_damaged_archive_is_named_and_the_others_are_read(repository: Path) -> None:
    found, wrong = [], []
    crystals = read_reference(find_reference("phonondb-2018"), repository)
    while True:
        try:
            found.append(next(crystals))
        except StopIteration:
            break
        except ResultError as error:
            wrong.append(str(error))
    assert [one.key for one in found] == ["mp-22862"]
    assert len(wrong) == 1
    assert "materials-id-7-s-p2-c-13" in wrong[0]


def test_classic_folders_and_archives_are_ones_own_dft(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own" / "NaCl"
    folder.mkdir(parents=True)
    for name, text in classic_files().items():
        (folder / name).write_text(text)
    write_archive(tmp_path / "own" / "again.tar.lzma", classic_files())
    crystals = folder_reference(tmp_path / "own").read(tmp_path / "own")
    assert sorted(crystals) == ["NaCl", "again"]
    ours, theirs = (crystals[key]().spectrum for key in sorted(crystals))
    assert ours is not None
    assert theirs is not None
    np.testing.assert_allclose(ours.frequencies, theirs.frequencies, atol=1e-8)


def test_they_are_data_to_learn_from(repository: Path) -> None:
    archive = next((repository / "phonondb-2018" / "phonon_db_tarred").glob("*nacl*"))
    (found,) = read_sources([archive])
    (curvature,) = found.curvatures
    assert curvature.formula == "NaCl"
    assert curvature.force_constants.shape == (2, 64, 3, 3)
    assert {frame.kind for frame in found.frames} == {"finite"}
