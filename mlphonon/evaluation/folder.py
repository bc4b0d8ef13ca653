"""A user's own DFT as a reference: folders of phonopy calculations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.errors import ResultError
from mlphonon.evaluation.metrics import Spectrum
from mlphonon.evaluation.reference import ReferenceCrystal, ReferenceSet
from mlphonon.force_constants.displacements import SYMMETRISATION_ROUNDS, to_ase
from mlphonon.potentials.named.store import sha256_of

if TYPE_CHECKING:
    from phonopy import Phonopy

SETTINGS = ("phonopy_params.yaml", "phonopy_params.yaml.xz", "phonopy_disp.yaml", "phonopy.yaml")
"""Files that name cells and displacements, the best first."""

MESH = 100.0
"""Length that sets the Gamma-centred mesh of the comparison, A."""


def folder_reference(folder: Path) -> ReferenceSet:
    """Describe the calculations in a folder, or in the folders in it, as a reference set.

    Each holds one of `SETTINGS`, and forces or force constants in it, in ``FORCE_SETS``,
    ``FORCE_CONSTANTS``, ``force_constants.hdf5`` or ``vasprun.xml*``.

    Raises
    ------
    ResultError
        If there is none.
    """
    places = [place for place in (folder, *sorted(_folders(folder))) if _settings(place)]
    if not places:
        raise ResultError(
            f"there is no phonopy calculation in {folder}",
            f"neither it nor a folder in it holds one of {', '.join(SETTINGS)}",
            "give the folder that holds them with --data",
        )
    files = [path for place in places for path in (_settings(place), *_forces(place)) if path]
    return ReferenceSet(
        name="folder",
        description=f"{len(places)} phonopy calculations",
        source=str(folder),
        licence="the user's",
        functional="as their files say",
        files={str(path.relative_to(folder)): sha256_of(path) for path in files},
        read=lambda _folder: (read_calculation(place) for place in places),
    )


def read_calculation(folder: Path) -> ReferenceCrystal:
    """Read one phonopy calculation and compute its frequencies on a mesh.

    The non-analytical term is left out: potentials have none.

    Raises
    ------
    ResultError
        If it cannot be read.
    """
    try:
        found = load_calculation(folder)
        # Gamma-centred, or an integer mesh would be shifted off the symmetric points.
        found.run_mesh(MESH)
    # phonopy meets a damaged file with any exception there is.
    except Exception as error:
        raise ResultError(
            f"cannot read the phonopy calculation in {folder}",
            f"{type(error).__name__}: {error}".partition("\n")[0],
            "see whether 'phonopy-load' reads it",
        ) from error
    mesh = found.mesh
    return ReferenceCrystal(
        key=folder.name.replace(" ", "_"),
        atoms=to_ase(found.unitcell),
        supercell_matrix=np.asarray(found.supercell_matrix),
        primitive_matrix=np.asarray(found.primitive_matrix),
        qpoints=np.asarray(mesh.qpoints),
        spectrum=Spectrum(np.asarray(mesh.frequencies), np.asarray(mesh.weights)),
    )


def load_calculation(folder: Path) -> Phonopy:
    """Load a phonopy calculation with symmetrised force constants, without Born charges."""
    import phonopy
    from ase.io import read

    beside = {path.name: path for path in _forces(folder)}
    constants = beside.get("FORCE_CONSTANTS") or beside.get("force_constants.hdf5")
    found = phonopy.load(
        _settings(folder),
        force_sets_filename=beside.get("FORCE_SETS"),
        force_constants_filename=constants,
        primitive_matrix="auto",
        is_nac=False,
        produce_fc=False,
        log_level=0,
    )
    runs = sorted(path for name, path in beside.items() if name.startswith("vasprun.xml"))
    if runs and constants is None and "FORCE_SETS" not in beside:
        found.forces = np.array([read(path, format="vasp-xml").get_forces() for path in runs])
    if found.force_constants is None:
        found.produce_force_constants(show_drift=False)
    found.symmetrize_force_constants(level=SYMMETRISATION_ROUNDS, show_drift=False)
    return found


def _folders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else iter(())


def _settings(folder: Path) -> Path | None:
    return next((folder / name for name in SETTINGS if (folder / name).is_file()), None)


def _forces(folder: Path) -> list[Path]:
    names = ("FORCE_SETS", "FORCE_CONSTANTS", "force_constants.hdf5")
    return [folder / name for name in names if (folder / name).is_file()] + sorted(
        folder.glob("vasprun.xml*")
    )
