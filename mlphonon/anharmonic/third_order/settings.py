"""The settings of third-order force constants: each default, and the reason for it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from mlphonon.anharmonic.third_order.result import Route
from mlphonon.settings_base import Settings


class ThirdOrderSettings(Settings):
    """Everything that decides the third order, apart from the harmonic phonons and potential."""

    words: ClassVar[str] = "the third order"

    method: Literal["auto"] | Route = "auto"
    """Displaced pairs; random displacements of all atoms; second derivatives of displaced
    crystals; or the cheapest that memory and potential allow."""

    supercell: tuple[int, ...] | Literal["harmonic"] | None = None
    """3 or 9 integers in terms of the cell as it was given, or "harmonic": that of the phonons;
    chosen by `min_length` otherwise."""

    min_length: float = Field(default=10.0, gt=0, le=200)
    """Least perpendicular height of the automatic supercell, A. Third-order force constants are
    shorter-ranged than second: most of the published ones are of 2x2x2 conventional cells."""

    max_atoms: int = Field(default=400, ge=1, le=100_000)
    """Most atoms in the supercell."""

    cutoff: float | None = Field(default=None, gt=0)
    """Pairs further apart than this are not displaced, triplets with a longer side not fitted, A;
    None: all that the supercell tells apart."""

    displacement: float | None = Field(default=None, gt=0, le=0.2)
    """Length of displacements (root mean square of an atom's where all are displaced), A; by route
    and precision otherwise: 0.03 as everybody does with DFT where forces are float32 or unknown,
    much less where they are float64."""

    row_dtype: Literal["float32", "float64"] = "float32"
    """Of second derivatives of displaced crystals. In float32 they cost half and the third order
    is right to 4e-4 (``benchmarks/third_order.md``)."""

    @field_validator("supercell", mode="before")
    @classmethod
    def _parse_supercell(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.strip() in ("auto", "harmonic"):
            return None if value.strip() == "auto" else "harmonic"
        return tuple(value.replace(",", " ").split())

    @field_validator("supercell")
    @classmethod
    def _check_supercell(cls, value: Any) -> Any:
        if isinstance(value, tuple) and len(value) not in (3, 9):
            raise ValueError("must be 'auto', 'harmonic', 3 or 9 whole numbers")
        return value
