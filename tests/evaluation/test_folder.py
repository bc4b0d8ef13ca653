"""DFT of one's own, as phonopy and VASP write it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mlphonon import Phonons
from mlphonon.errors import ResultError
from mlphonon.evaluation.folder import folder_reference
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.references import find_reference, read_reference
from mlphonon.evaluation.scores import score_crystal
from mlphonon.potentials.potential import Potential


def test_a_result_of_ours_is_a_reference_for_the_same_potential(
    rocksalt_phonons: Phonons, rocksalt_springs: Potential, tmp_path: Path
) -> None:
    rocksalt_phonons.save(tmp_path / "salt")
    found = find_reference("folder", tmp_path)
    assert list(found.files) == ["salt/phonopy_params.yaml"]
    (crystal,) = read_reference(found, tmp_path)
    assert crystal.key == "salt"
    protocol = Protocol(relax=False, displacement=0.01)
    errors = score_crystal(crystal, rocksalt_springs, protocol).errors
    assert errors["mae_THz"] < 1e-4
    assert errors["slope"] == pytest.approx(1.0, abs=1e-5)


def test_it_may_be_the_folder_itself_and_is_pinned(
    rocksalt_phonons: Phonons, tmp_path: Path
) -> None:
    folder = rocksalt_phonons.save(tmp_path / "salt")
    (crystal,) = read_reference(folder_reference(folder), folder)
    assert crystal.spectrum.frequencies.shape[1] == 6
    pinned = folder_reference(folder)
    file = folder / "phonopy_params.yaml"
    file.write_text(file.read_text() + "# changed\n")
    with pytest.raises(ResultError, match="SHA-256"):
        read_reference(pinned, folder)


def test_what_is_no_calculation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"no phonopy calculation.*--data"):
        find_reference("folder", tmp_path)
    with pytest.raises(ResultError, match="no phonopy calculation"):
        find_reference("folder", tmp_path / "nowhere")
    (tmp_path / "phonopy_disp.yaml").write_text("phonopy: 1")
    with pytest.raises(ResultError, match="cannot read the phonopy calculation") as caught:
        list(read_reference(find_reference("folder", tmp_path), tmp_path))
    assert "\n" not in str(caught.value)


def test_dft_of_several_programs(phonopy_examples: Path, tmp_path: Path) -> None:
    """FORCE_SETS (NaCl) and vasprun.xml (Si): highest modes as phonopy itself gives them."""
    for name in ("NaCl", "Si"):
        shutil.copytree(phonopy_examples / name, tmp_path / name)
    found = {c.key: c for c in read_reference(find_reference("folder", tmp_path), tmp_path)}
    assert set(found) == {"NaCl", "Si"}
    assert found["NaCl"].spectrum.frequencies.max() == pytest.approx(6.29, abs=0.02)
    assert found["Si"].spectrum.frequencies.max() == pytest.approx(15.1, abs=0.1)
    for crystal in found.values():
        # Gamma is in the mesh, and its acoustic modes vanish.
        at = np.abs(crystal.qpoints).max(axis=1).argmin()
        assert np.abs(crystal.qpoints[at]).max() == 0.0
        assert np.abs(crystal.spectrum.frequencies[at, :3]).max() < 1e-3
