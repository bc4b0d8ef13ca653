"""Files of second-order force constants; their sizes are checked before room is made for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from phonopy import Phonopy

MAX_BYTES = 1 << 33
"""Of a text; full force constants of 5,000 atoms have more, and are better kept in HDF5."""


def read_text(path: Path, phonopy: Phonopy) -> np.ndarray:
    """Read ``FORCE_CONSTANTS``.

    Parameters
    ----------
    path : Path
        The file.
    phonopy : Phonopy
        Knows the cells.

    Returns
    -------
    ndarray, shape (n or n_primitive, n, 3, 3)
        In the units of the program.

    Raises
    ------
    Exception
        Of any kind, if it cannot be read or is of other cells; see `readers.reading`.
    """
    from phonopy.file_IO import parse_FORCE_CONSTANTS

    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    with path.open(encoding="utf-8") as file:
        counts = [int(word) for word in file.readline(1000).split()]
    check_shape((counts[0], counts[-1], 3, 3), phonopy)
    return np.asarray(parse_FORCE_CONSTANTS(path, p2s_map=phonopy.primitive.p2s_map))


def read_hdf5(path: Path, phonopy: Phonopy, calculator: str | None) -> np.ndarray:
    """Read ``force_constants.hdf5`` or ``fc2.hdf5``.

    Parameters
    ----------
    path : Path
        The file.
    phonopy : Phonopy
        Knows the cells.
    calculator : str, optional
        The program in whose units they are wanted, as phonopy calls it.

    Returns
    -------
    ndarray, shape (n or n_primitive, n, 3, 3)

    Raises
    ------
    Exception
        Of any kind, if it cannot be read or is of other cells; see `readers.reading`.
    """
    import h5py
    from phonopy.cui.load_helper import read_force_constants_from_hdf5

    with h5py.File(path) as file:
        for name in ("fc2", "force_constants", "p2s_map", "physical_unit"):
            if name in file:
                _check_own(file, name)
        constants = file["fc2" if "fc2" in file else "force_constants"]
        check_shape(constants.shape, phonopy)
        if constants.dtype.kind != "f":
            raise ValueError("the force constants are not real numbers")
        for name in ("p2s_map", "physical_unit"):
            if name in file and file[name].size > len(phonopy.supercell):
                raise ValueError(f"{name} has {file[name].size} entries")
    maps = phonopy.primitive.p2s_map
    return np.asarray(read_force_constants_from_hdf5(path, p2s_map=maps, calculator=calculator))


def check_shape(shape: tuple[int, ...], phonopy: Phonopy) -> None:
    """Raise `ValueError` unless force constants of this shape are full or compact ones."""
    n, n_primitive = len(phonopy.supercell), len(phonopy.primitive)
    if shape not in ((n, n, 3, 3), (n_primitive, n, 3, 3)):
        raise ValueError(f"force constants of shape {shape} for {n} atoms")


def _check_own(file: Any, name: str) -> None:
    """Refuse data that lie in other files, which HDF5 would open."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name} is a link")
    if file[name].external or file[name].is_virtual:
        raise ValueError(f"{name} lies in another file")
