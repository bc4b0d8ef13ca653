"""Where a result came from: crystal, potential, settings, versions, timings, all in one record."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlphonon.force_constants.force_constants import Residuals
from mlphonon.force_constants.supercell_series import SupercellStep
from mlphonon.phonons.evidence import Evidence
from mlphonon.phonons.renormalisation import Renormalisation
from mlphonon.settings import PhononSettings

RECORDED_PACKAGES = (
    "mlphonon",
    "phonopy",
    "spglib",
    "seekpath",
    "ase",
    "numpy",
    "scipy",
    "torch",
    "mace-torch",
    "e3nn",
)


class Record(BaseModel):
    """The part of a result that is not phonons: frozen, and JSON as it stands.

    Units stand in the names: A, eV, GPa, THz, s.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    formula: str
    spacegroup: str
    n_atoms_primitive: int
    notes: tuple[str, ...]
    structure_sha256: str
    potential: dict[str, Any]
    settings: PhononSettings
    settings_sha256: str
    relaxed: bool
    relaxation_converged: bool
    relaxation_steps: int
    residual_force_eV_per_A: float
    residual_stress_GPa: float | None
    energy_eV_per_atom: float
    volume_change: float
    supercell_matrix: tuple[tuple[int, int, int], ...]
    n_atoms_supercell: int
    supercell_heights_A: tuple[float, float, float]
    supercell_series: tuple[SupercellStep, ...] = ()
    method: str
    method_reason: str = ""
    method_dtype: str = "unknown"
    n_coefficients: int | None = None
    displacement_A: float | None
    n_displacements: int
    raw_force_constants: Residuals
    truncation_THz: float | None = None
    evidence: Evidence | None = None
    born_charges: bool
    renormalisation: Renormalisation | None = None
    versions: dict[str, str]
    seconds: dict[str, float]


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide the numbers."""
    found = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            # Run from a checkout without installing, or a backend that is not in use.
            continue
    return found
