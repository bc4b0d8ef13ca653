"""The settings of a phonon calculation: each default, and the reason for it, stands here once."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from mlphonon.settings_base import Settings
from mlphonon.temperatures import TemperatureGrid

Method = Literal["displacements", "autodiff", "regression", "sscha", "effective"]
"""Ways to the force constants; the last two are those of a temperature."""

METHOD_OF = {
    "displacement": "displacements",
    "protocol": "displacements",
    "row_dtype": "autodiff",
}
"""Settings of one method alone: who sets one means that method, unless another is named."""

SupercellChoice = Literal["auto", "converged"] | tuple[int, ...]


class PhononSettings(Settings):
    """Everything that decides what a phonon calculation gives, apart from crystal and potential.

    Lengths in A, energies in eV, frequencies in THz, temperatures in K.
    """

    symprec: float = Field(default=1e-5, gt=0, le=0.1)
    """Tolerance of the symmetry search, A. Tight, as phonopy's: a loose one would impose a
    symmetry that the potential's minimum does not have."""

    relax: bool = True
    """Relax cell and positions first; phonons are defined at a minimum of the potential used."""

    relax_cell: Literal["all", "shape", "none"] = "all"
    """What of the cell is relaxed with the positions: all of it; its shape, at the volume it was
    given with; or nothing. Thermal expansion asks for the last two."""

    fmax: float = Field(default=1e-4, gt=0)
    """Largest force left, eV/A, and largest stress times volume per atom, eV. At 1e-2 the
    acoustic branches and soft modes still move visibly; at 1e-4 they do not."""

    relax_steps: int = Field(default=500, ge=1)
    """Most optimiser steps before the relaxation is called unconverged."""

    allow_unconverged: bool = False
    """Go on from an unconverged relaxation; the result then says so."""

    allow_nonconservative: bool = False
    """Take forces that are the slope of no energy. Their force constants are not symmetric, and
    relaxations end where no minimum is."""

    supercell: SupercellChoice = "auto"
    """"auto", "converged" (grown until no frequency changes by more than `tolerance`), or an
    integer matrix: 3 numbers (diagonal) or 9 (row by row, phonopy's convention), in terms of the
    cell as it was given."""

    tolerance: float = Field(default=0.05, gt=0)
    """Of a converged supercell, THz."""

    min_length: float = Field(default=15.0, gt=0, le=200)
    """Least perpendicular height of the automatic supercell, A. Force constants reach about
    half of it; universal potentials feel no further than 10 to 12 A through two layers."""

    max_atoms: int = Field(default=1200, ge=1, le=100_000)
    """Most atoms in the supercell; a larger one is refused before any work is done."""

    method: Literal["auto", "displacements", "autodiff", "regression"] = "auto"
    """Finite displacements; exact second derivatives of a potential that can be differentiated
    twice; a regression over random displacements of all atoms; or the cheapest of the first two
    that the potential's precision and the memory there is allow."""

    row_dtype: Literal["own", "float32", "float64"] = "own"
    """Precision of second derivatives (asking for one asks for them): that of the potential, or
    another. Rows in float32 are checked against a displacement in float64."""

    protocol: Literal["field", "small"] = "field"
    """Of finite displacements (asking for one asks for them): both ways where symmetry asks for
    it and as long as `displacement`, as everybody does with DFT; or one way and tiny, which halves
    the work in crystals of low symmetry and is more precise, but only with forces in float64."""

    displacement: float = Field(default=0.01, ge=1e-6, le=0.2)
    """Length of the finite displacements of the field's protocol, A; asking for one asks for
    finite displacements."""

    mesh: float = Field(default=100.0, gt=0, le=1000)
    """Length that sets the Gamma-centred q mesh, A: about length / a points along an axis."""

    projected_mesh: float = Field(default=50.0, gt=0, le=1000)
    """The same for the projected density of states, which needs eigenvectors on the whole
    mesh, without symmetry: half the length costs an eighth."""

    band_points: int = Field(default=101, ge=2, le=100_000)
    """q-points on the longest piece of the band path; shorter pieces get their share."""

    temperatures: TemperatureGrid = TemperatureGrid("0:1000:10")
    """Of the thermal properties, K: a number, a list, or first:last:step."""

    imaginary_threshold: float = Field(default=0.05, ge=0)
    """A mode below minus this, THz, counts as imaginary; above it is numerical noise of the
    acoustic modes near Gamma."""

    imaginary_share: float = Field(default=0.10, gt=0, lt=1)
    """A crystal with more than this share of its modes imaginary is unstable by the share rule."""

    nac_method: Literal["gonze", "wang"] = "gonze"
    """How the non-analytical term is interpolated when Born charges are given."""

    trust: Literal["default", "full"] = "default"
    """How much the verdict looks at. "full" also solves the next larger supercell, makes every
    displacement or row again in the primitive cell, not the first alone, and, of a MACE, turns
    its kernels off."""

    metal: bool = False
    """The crystal is a metal: its electrons screen what splits LO and TO modes, so the verdict
    does not ask for Born charges."""

    @classmethod
    def make(cls, base: Self | None = None, /, **changes: Any) -> Self:
        """Return `base` (or the defaults) with `changes` (see `Settings.make`).

        A setting of one method alone means that method, unless another is named with it.
        """
        return super().make(base, **with_implied_method(changes))

    @model_validator(mode="before")
    @classmethod
    def _take_hints(cls, values: Any) -> Any:
        return values if not isinstance(values, dict) else with_implied_method(values)

    @field_validator("trust", mode="before")
    @classmethod
    def _check_trust(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("must be default or full; a pickled model is allowed by allow_pickle")
        return value

    @field_validator("supercell", mode="before")
    @classmethod
    def _parse_supercell(cls, value: Any) -> Any:
        if isinstance(value, str):
            text = value.strip()
            if text in ("auto", "converged"):
                return text
            try:
                value = [int(part) for part in text.replace(",", " ").split()]
            except ValueError as error:
                raise ValueError("must be 'auto', 'converged', 3 or 9 whole numbers") from error
        matrix = np.asarray(value)
        if matrix.size not in (3, 9):
            raise ValueError("must be 'auto', 'converged', 3 or 9 whole numbers")
        if not np.array_equal(matrix, np.round(np.asarray(matrix, dtype=float))):
            raise ValueError("must be whole numbers")
        flat = tuple(int(x) for x in matrix.ravel())
        if round(float(np.linalg.det(_as_matrix(flat)))) == 0:
            raise ValueError("must have a determinant other than zero")
        return flat

    def supercell_matrix(self) -> np.ndarray | None:
        """Return the supercell matrix, shape (3, 3), or None when it is to be chosen."""
        return None if isinstance(self.supercell, str) else _as_matrix(tuple(self.supercell))


def _as_matrix(flat: tuple[Any, ...]) -> np.ndarray:
    numbers = np.array(flat, dtype=int)
    return np.diag(numbers) if numbers.size == 3 else numbers.reshape(3, 3)


def with_implied_method(values: dict[str, Any]) -> dict[str, Any]:
    """Add the method that is meant by settings of one method, where none is named."""
    implied = {name: METHOD_OF[name] for name in values if name in METHOD_OF}
    if "method" in values or not implied:
        return values
    return values | {"method": next(iter(implied.values()))}
