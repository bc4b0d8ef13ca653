"""The command line called as a user calls it, and what it leaves behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.io import write

from mlphonon.cli.app import main

EXAMPLES = Path(__file__).parents[2] / "examples"

PARTIAL = """data_mixed
_space_group_name_H-M_alt 'F m -3 m'
_space_group_IT_number 225
_cell_length_a 5.6
_cell_length_b 5.6
_cell_length_c 5.6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Na1 Na 0.0 0.0 0.0 0.75
K1 K 0.0 0.0 0.0 0.25
Cl1 Cl 0.5 0.5 0.5 1.0
"""


@dataclass(frozen=True)
class Outcome:
    """What a call did: exit code, both streams, and the paths that were not there before."""

    code: int
    out: str
    err: str
    new: frozenset[str]

    def refusal(self) -> str:
        """Return the one line of a refusal that left nothing behind."""
        assert self.code == 2, self.err
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("mlphonon: ")
        assert not self.new, sorted(self.new)
        return lines[0]


Call = Callable[..., Outcome]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Return a function that runs the program in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLPHONON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLPHONON_OFFLINE", "1")
    monkeypatch.delenv("MLPHONON_CATALOGUE", raising=False)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["mlphonon", *map(str, arguments)])
        before = set(tmp_path.rglob("*"))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        new = {str(path.relative_to(tmp_path)) for path in set(tmp_path.rglob("*")) - before}
        return Outcome(int(ended.value.code or 0), captured.out, captured.err, frozenset(new))

    return run


@pytest.fixture(scope="session")
def crystals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of files that are crystals, and of some that are not."""
    folder = tmp_path_factory.mktemp("crystals")
    (folder / "garbage.cif").write_text("this is\nno crystal at all\n" * 3)
    (folder / "empty.cif").write_text("")
    (folder / "binary.cif").write_bytes(bytes(range(256)) * 8)
    (folder / "partial.cif").write_text(PARTIAL)
    write(folder / "water.xyz", molecule("H2O"))
    write(folder / "radon.vasp", bulk("Rn", "fcc", a=6.0))
    write(folder / "helium.cif", bulk("He", "fcc", a=4.2))
    touching = Atoms("Si2", positions=[[0, 0, 0], [0.1, 0, 0]], cell=[5, 5, 5], pbc=True)
    write(folder / "touching.vasp", touching)
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one tiny MACE of Na and Cl, as a pickle and as plain weights."""
    import torch

    from mlphonon.potentials.mace.architecture import save_weights
    from tests.helpers.tiny_mace import TINY

    torch.manual_seed(1)
    model = TINY.build()
    folder = tmp_path_factory.mktemp("weights")
    torch.save(model, folder / "tiny.model")
    save_weights(model, TINY, folder / "plain")
    return folder
