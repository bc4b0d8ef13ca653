"""Phonopy calculations of before ``phonopy_params.yaml``: a POSCAR, a conf file and force sets.

A calculation is a handful of small text files, in a folder or in a tar archive (compressed or
not). An archive is read in memory and never unpacked to disk; what is too large is refused.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.io.phonopy_yaml import check_dataset
from mlphonon.readers.phonopy_calculation import finish
from mlphonon.readers.reading import reading

if TYPE_CHECKING:
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

CELLS = ("POSCAR-unitcell", "POSCAR")
"""Files that hold the unit cell, the surest first."""

FORCES = ("FORCE_SETS", "FORCE_CONSTANTS")

CONFS = ("phonopy.conf", "disp.conf", "mesh.conf", "band.conf")
"""Files that name the supercell, the surest first."""

WANTED = frozenset(
    {*CELLS, *CONFS, "SPOSCAR", "disp.yaml", "FORCE_SETS", "FORCE_CONSTANTS", "BORN"}
)
"""Files of a calculation that are read; others are not looked at."""

MEMBER_LIMIT = 64_000_000
"""Bytes of one unpacked file; force sets of 1,000 displacements of 400 atoms take 20 MB."""

ARCHIVE_LIMIT = 256_000_000
"""Bytes of an archive, packed or not."""

TOO_LARGE = "it is larger than a calculation can be"

MOST_ATOMS = 10_000
"""Of a supercell."""

MEMBERS_LIMIT = 1_000
"""Files in an archive."""

NAC_FACTOR = 14.399652
"""e^2 / (4 pi epsilon_0) in eV A: a BORN file of that time does not say it."""

TOLERANCE = 0.05
"""A; atoms of SPOSCAR may be as far from where the supercell has them."""


@dataclass(frozen=True)
class ClassicCalculation:
    """The text files of one calculation.

    Attributes
    ----------
    name : str
        What it is called: the folder, or the archive without its endings.
    texts : mapping of str to str
        Contents by file name.
    """

    name: str
    texts: Mapping[str, str]

    def text(self, *names: str) -> str:
        """Return the first file of these names that there is.

        Raises
        ------
        ResultError
            If there is none.
        """
        for name in names:
            if name in self.texts:
                return self.texts[name]
        raise ResultError(f"{self.name} has no {' or '.join(names)}")

    def conf(self) -> dict[str, str]:
        """Return the tags of the first conf file that has a supercell; none if there is no file."""
        found = [parse_conf(self.texts[name]) for name in CONFS if name in self.texts]
        return next((tags for tags in found if "DIM" in tags), {})

    def unitcell(self) -> PhonopyAtoms:
        """Return the unit cell, in A."""
        return self._cell(*CELLS, part="the unit cell")

    def _cell(self, *names: str, part: str) -> PhonopyAtoms:
        from phonopy.interface.vasp import read_vasp_from_strings

        text = self.text(*names)
        with reading(Path(self.name), part):
            lines = text.splitlines()
            counts = [int(word) for line in lines[5:7] for word in line.split() if word.isdigit()]
            # Phonopy would make room for all that are announced.
            if sum(counts) > len(lines):
                raise ValueError(f"{sum(counts)} atoms are announced in {len(lines)} lines")
            return read_vasp_from_strings(text)

    def phonopy(self) -> Phonopy:
        """Return the calculation with symmetrised force constants, without Born charges.

        Raises
        ------
        ResultError
            If a file is missing or damaged, or files do not belong together.
        """
        from phonopy import Phonopy

        unitcell = self.unitcell()
        with reading(Path(self.name), "phonopy.conf"):
            supercell = self._supercell_matrix(unitcell)
            n_atoms = len(unitcell) * abs(float(np.linalg.det(supercell)))
            if not 0.5 < n_atoms <= MOST_ATOMS:
                raise ValueError(f"a supercell of {n_atoms:g} atoms")
            primitive = primitive_matrix(self.conf())
            phonopy = Phonopy(unitcell, supercell, primitive_matrix=primitive, log_level=0)
        self._check_supercell(phonopy)
        with reading(Path(self.name), "its forces"):
            self._add_forces(phonopy)
        return phonopy

    def born(self, phonopy: Phonopy) -> dict[str, Any] | None:
        """Return phonopy's ``nac_params`` (charges in e) for its primitive cell; None without BORN.

        Parameters
        ----------
        phonopy : Phonopy
            Of this calculation.
        """
        from phonopy.file_IO import parse_BORN_from_strings

        if "BORN" not in self.texts:
            return None
        with reading(Path(self.name), "BORN"):
            found = parse_BORN_from_strings(
                self.texts["BORN"], phonopy.primitive, symprec=1e-5, is_symmetry=True
            )
            born, epsilon = np.asarray(found["born"]), np.asarray(found["dielectric"])
            if born.shape != (len(phonopy.primitive), 3, 3) or not np.isfinite(born).all():
                raise ValueError(f"charges of shape {born.shape}")
        factor = found.get("factor") or NAC_FACTOR
        return {"born": born, "dielectric": epsilon, "factor": factor}

    def _supercell_matrix(self, unitcell: PhonopyAtoms) -> np.ndarray:
        tags = self.conf()
        if "DIM" in tags:
            return supercell_matrix(tags["DIM"])
        whole = self._cell("SPOSCAR", part="SPOSCAR")
        rows = whole.cell @ np.linalg.inv(unitcell.cell)
        if np.abs(rows - np.rint(rows)).max() > 1e-3:
            raise ValueError("SPOSCAR is no supercell of the unit cell")
        return np.rint(rows).astype(int).T

    def _check_supercell(self, phonopy: Phonopy) -> None:
        """Refuse forces of a supercell whose atoms stand in another order than phonopy's."""
        if "SPOSCAR" not in self.texts:
            return
        given, made = self._cell("SPOSCAR", part="SPOSCAR"), phonopy.supercell
        with reading(Path(self.name), "SPOSCAR"):
            if given.symbols != made.symbols:
                raise ValueError("its atoms are not those of the supercell")
            off = given.scaled_positions - made.scaled_positions
            if np.abs((off - np.rint(off)) @ made.cell).max() > TOLERANCE:
                raise ValueError("its atoms stand in another order than those of the supercell")

    def _add_forces(self, phonopy: Phonopy) -> None:
        from phonopy.file_IO import parse_FORCE_SETS_from_strings

        if "FORCE_SETS" in self.texts:
            n_atoms = len(phonopy.supercell)
            dataset = parse_FORCE_SETS_from_strings(self.texts["FORCE_SETS"], natom=n_atoms)
            check_dataset(dataset, n_atoms)
            finish(phonopy, dataset=dataset)
        else:
            text = self.text("FORCE_SETS", "FORCE_CONSTANTS")
            finish(phonopy, constants=parse_force_constants(text))


def parse_conf(text: str) -> dict[str, str]:
    """Return the tags of a conf file, in capitals; comments begin with # or !."""
    tags: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("#")[0].partition("!")[0].partition("=")
        if equals:
            tags[name.strip().upper()] = value.strip()
    return tags


def supercell_matrix(value: str) -> np.ndarray:
    """Return the 3x3 matrix that ``DIM`` means: three numbers, or nine row by row."""
    numbers = [int(word) for word in value.split()]
    if len(numbers) == 3:
        return np.diag(numbers)
    return np.array(numbers).reshape(3, 3)


CENTRINGS = "PFIACR"
"""Letters that may stand for the matrix of a primitive cell."""


def primitive_matrix(tags: Mapping[str, str]) -> np.ndarray | str:
    """Return what ``PRIMITIVE_AXES`` (or ``PRIMITIVE_AXIS``) means; without it the unit cell.

    Nine numbers row by row, with fractions such as 1/2; or a letter of centring.
    """
    value = tags.get("PRIMITIVE_AXES", tags.get("PRIMITIVE_AXIS", "P")).strip()
    if value.upper() == "AUTO" or value in CENTRINGS:
        return value.lower() if value.upper() == "AUTO" else value
    return np.array([float(Fraction(word)) for word in value.split()]).reshape(3, 3)


def parse_force_constants(text: str) -> np.ndarray:
    """Return the array of a ``FORCE_CONSTANTS`` file, shape (n_rows, n_supercell, 3, 3), eV/A^2."""
    first, _, rest = text.partition("\n")
    rows = [int(word) for word in first.split()]
    shape = (rows[0], rows[-1])
    numbers = np.array(rest.split(), dtype=float).reshape(shape[0] * shape[1], 2 + 9)
    return numbers[:, 2:].reshape(*shape, 3, 3)


def is_classic(folder: Path) -> bool:
    """Whether a folder holds a unit cell and forces or force constants of that time."""

    def holds(*names: str) -> bool:
        return any((folder / name).is_file() for name in names)

    return holds(*CELLS) and holds(*FORCES)


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, by its name."""
    return path.name.endswith((".tar", ".tar.lzma", ".tar.xz", ".tar.gz", ".tar.bz2", ".tgz"))


def is_classic_archive(path: Path) -> bool:
    """Whether a file is an archive with a unit cell and forces or force constants.

    Archives of something else, such as a code's own output, lie beside calculations, too. One that
    is damaged counts as a calculation: reading it says by name that it is.
    """
    if not is_archive(path):
        return False
    try:
        names = {name for name, _ in _members(path)}
    except ValueError:  # larger than any calculation that is read
        return False
    except (OSError, EOFError, lzma.LZMAError, tarfile.TarError):
        return True
    return not names.isdisjoint(CELLS) and not names.isdisjoint(FORCES)


def read_classic(path: Path) -> ClassicCalculation:
    """Read the files of a calculation from a folder or an archive.

    Raises
    ------
    ResultError
        If it cannot be read, or is larger than a calculation can be.
    """
    name = path.name
    for ending in (".lzma", ".xz", ".gz", ".bz2", ".tgz", ".tar"):
        name = name.removesuffix(ending)
    pairs: Iterator[tuple[str, bytes]]
    with reading(path):
        if path.is_dir():
            pairs = (
                (file.name, file.read_bytes())
                for file in sorted(path.iterdir())
                if file.name in WANTED and file.stat().st_size <= MEMBER_LIMIT
            )
        else:
            pairs = _members(path)
        return ClassicCalculation(name, {file: raw.decode() for file, raw in pairs})


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the wanted files of an archive; whatever is larger than the limits is refused."""
    with tarfile.open(fileobj=io.BytesIO(_unpacked(path)), mode="r:") as archive:
        for number, member in enumerate(archive):
            if number >= MEMBERS_LIMIT or member.size > MEMBER_LIMIT:
                raise ValueError(TOO_LARGE)
            name = PurePosixPath(member.name).name
            if member.isfile() and name in WANTED and (file := archive.extractfile(member)):
                yield name, file.read(MEMBER_LIMIT)


def _unpacked(path: Path) -> bytes:
    """Return the bytes of an archive without its compression."""
    if path.stat().st_size > ARCHIVE_LIMIT:
        raise ValueError(TOO_LARGE)
    raw = path.read_bytes()
    if path.suffix in (".lzma", ".xz"):
        # Its header says how much memory it wants: up to four gigabytes.
        unpacking = lzma.LZMADecompressor(memlimit=ARCHIVE_LIMIT)
        found = unpacking.decompress(raw, max_length=ARCHIVE_LIMIT + 1)
        if not unpacking.eof and len(found) <= ARCHIVE_LIMIT:
            raise EOFError("it ends too early")
    elif path.suffix in (".gz", ".tgz", ".bz2"):
        opened = bz2.open if path.suffix == ".bz2" else gzip.open
        with opened(io.BytesIO(raw)) as file:
            found = file.read(ARCHIVE_LIMIT + 1)
    else:
        found = raw
    if len(found) > ARCHIVE_LIMIT:
        raise ValueError(TOO_LARGE)
    return found
