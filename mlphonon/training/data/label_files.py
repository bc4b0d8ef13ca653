"""Files of structures -> files of labelled structures; what is done already is not done again."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import ase.io

from mlphonon.errors import TrainingError
from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.loading import load_potential
from mlphonon.readers.reading import reading
from mlphonon.readers.structures import iterate_structures
from mlphonon.reporter import Reporter, Silent
from mlphonon.training.data.dft import PREFIX, load_code
from mlphonon.training.data.frame import check_structure
from mlphonon.training.data.labelling import label

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.potentials.potential import Potential

RECORD = "label_provenance"
"""What a labelled structure keeps in `info`: by what it was labelled (see `LabelProvenance`)."""

FILES_AT_ONCE = 64
"""Files whose structures a potential is given together."""


def load_teacher(
    name: str, folder: Path, device: str = "auto", allow_pickle: bool = False
) -> Potential:
    """Return the potential, or the DFT code (``ase:NAME:SETTINGS.yaml``, run in `folder`)."""
    if name.startswith(PREFIX):
        return load_code(name, folder)
    return load_potential(name, device=device, allow_pickle=allow_pickle)


def files_to_label(paths: Sequence[Path]) -> list[Path]:
    """Return files, and the structures of folders.

    Raises
    ------
    TrainingError
        If there is none, or two have one name.
    """
    files: list[Path] = []
    for path in paths:
        if not (path.is_dir() or path.is_file()):
            raise TrainingError(f"there is no file {path}")
        files += sorted(path.glob("*.extxyz")) if path.is_dir() else [path]
    if not files:
        where = paths[0] if paths else "nothing"
        raise TrainingError(
            f"{where} holds no structures", fix="make some with 'mlphonon dataset generate'"
        )
    names = [path.stem for path in files]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TrainingError(
            f"two files are called {twice}", fix="label them into folders of their own"
        )
    return files


def label_files(
    files: Sequence[Path],
    teacher: Potential,
    folder: Path,
    directions: int = 0,
    seed: int = 1,
    reporter: Reporter | None = None,
) -> int:
    """Label files into `folder`, each under its name; those that are there already are left.

    Parameters
    ----------
    files : sequence of Path
        Structures, with names that differ.
    teacher : Potential
        Labels them.
    folder : Path
        Receives the labelled ones; none of `files` may lie in it.
    directions, seed : int
        See `label`.
    reporter : Reporter, optional
        Is told how many are done.

    Returns
    -------
    int
        Number of files that were labelled now.

    Raises
    ------
    TrainingError
        If a file would be written over, what is there was not made of these structures by this
        teacher with these directions, or a structure is no crystal.
    """
    for path in files:
        if path.resolve().parent == folder.resolve():
            raise TrainingError(
                f"{path} would be written over by its own labels",
                "it lies in the output folder",
                "give another folder with -o",
            )
    folder.mkdir(parents=True, exist_ok=True)
    provenance = LabelProvenance.of(teacher, directions, seed)
    left = [path for path in files if not provenance.is_done(path, _target(path, folder))]
    # What is not quicker in batches, such as a code, may be slow and fail: what is done is kept.
    at_once = FILES_AT_ONCE if teacher.info.batched else 1
    with (reporter or Silent()).step("labelling", len(left)) as advance:
        for first in range(0, len(left), at_once):
            part = left[first : first + at_once]
            groups = [_read(path) for path in part]
            every = [atoms for group in groups for atoms in group]
            labelled = iter(label(every, teacher, directions, seed))
            for path, group in zip(part, groups, strict=True):
                structures = [next(labelled) for _ in group]
                for atoms in structures:
                    atoms.info[RECORD] = provenance.digest(path)
                write_structures(_target(path, folder), structures)
            advance(len(part))
    return len(left)


@dataclass(frozen=True)
class LabelProvenance:
    """By whom, and with which directions, structures are labelled.

    Attributes
    ----------
    teacher : str
        All that is known of it, as JSON.
    directions, seed : int
        See `label`.
    """

    teacher: str
    directions: int
    seed: int

    @classmethod
    def of(cls, teacher: Potential, directions: int, seed: int) -> LabelProvenance:
        """Return that of labels by a teacher; where it runs does not matter."""
        info = teacher.info
        known = [info.name, info.sha256, info.functional, info.dtype]
        return cls(json.dumps(known), directions, seed)

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of all this and of the structures that are labelled."""
        how = json.dumps([self.teacher, self.directions, self.seed]).encode()
        return f"sha256:{hashlib.sha256(how + path.read_bytes()).hexdigest()}"

    def is_done(self, path: Path, target: Path) -> bool:
        """Whether `target` holds the labels of `path` by this teacher and directions.

        Raises
        ------
        TrainingError
            If it holds something else.
        """
        if not target.exists():
            return False
        with target.open(errors="replace") as file:
            first = "".join(itertools.islice(file, 2))
        if self.digest(path) not in first:
            raise TrainingError(
                f"{target} is there already and holds other labels",
                "by another teacher, with other directions, or of other structures",
                "give another folder with -o, or move it away",
            )
        return True


def _target(path: Path, folder: Path) -> Path:
    return folder / f"{path.stem}.extxyz"


def write_structures(path: Path, structures: Sequence[Atoms]) -> None:
    """Write structures, with what is known of them, into an extended XYZ file."""
    text = io.StringIO()
    ase.io.write(text, list(structures), format="extxyz")
    write_whole(path, text.getvalue())


def _read(path: Path) -> list[Atoms]:
    structures = list(iterate_structures(path))
    if not structures:
        raise TrainingError(f"{path} holds no structure")
    for atoms in structures:
        with reading(path):
            check_structure(atoms)
        atoms.info.setdefault("material_id", path.stem)
        atoms.info.setdefault("config", "other")
    return structures
