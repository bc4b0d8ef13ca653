"""The settings of a thermal conductivity: each default, and the reason for it."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
from mlphonon.settings import PhononSettings
from mlphonon.settings_base import Settings
from mlphonon.temperatures import TemperatureGrid

LARGEST = 1000
"""A, of a mesh and of a cutoff; also the most q-points along an axis."""


class ThermalConductivitySettings(Settings):
    """Everything that decides a thermal conductivity, apart from crystal and potential."""

    words: ClassVar[str] = "the thermal conductivity"

    phonons: PhononSettings = PhononSettings()
    """Of the harmonic phonons."""

    third_order: ThirdOrderSettings = ThirdOrderSettings()
    """Way, supercell and displacement of the third order; its cutoff gives way to `cutoff`."""

    temperatures: TemperatureGrid = TemperatureGrid("300")
    """K, above zero."""

    transport: Literal["rta", "lbte", "wigner", "wigner-lbte"] = "wigner"
    """Relaxation-time approximation; the linearised Boltzmann equation solved directly; the
    Wigner equation (Simoncelli, Marzari and Mauri, Nat. Phys. 15, 809 (2019)), which adds what
    flows between bands, with populations by either. Wigner costs no more than the first and is
    right where the first is not: glasses of bands, ultralow conductivities."""

    mesh: float | tuple[int, int, int] | Literal["converged"] = 60.0
    """Length that sets the q mesh, A (about length / a points along an axis), three numbers, or
    "converged": grown until the conductivity changes by less than `tolerance`."""

    cutoff: float | Literal["auto"] | None = None
    """Of the third order, A (see `ThirdOrderSettings.cutoff`); "auto": shells of neighbours are
    added until the conductivity changes by less than `tolerance`, twice."""

    tolerance: float = Field(default=0.03, gt=0)
    """Relative change of the conductivity at which a mesh or a cutoff counts as converged."""

    isotope: bool = False
    """Scattering by the natural mixture of isotopes (Tamura)."""

    boundary: float | None = Field(default=None, gt=0)
    """Length that phonons travel at most, m: the size of grains or of a wire."""

    @field_validator("temperatures")
    @classmethod
    def _check_temperatures(cls, value: TemperatureGrid) -> TemperatureGrid:
        if value.values[0] <= 0:
            raise ValueError("must be above zero: at 0 K nothing scatters")
        return value

    @field_validator("mesh", mode="before")
    @classmethod
    def _parse_mesh(cls, value: Any) -> Any:
        parts = value.replace(",", " ").split() if isinstance(value, str) else []
        return tuple(parts) if len(parts) == 3 else value

    @field_validator("mesh", "cutoff")
    @classmethod
    def _check_lengths(cls, value: Any) -> Any:
        numbers = value if isinstance(value, tuple) else (value,)
        if value is None or isinstance(value, str):
            return value
        if min(numbers) <= 0:
            raise ValueError("must be above zero")
        if max(numbers) > LARGEST:
            raise ValueError(f"must not be above {LARGEST}")
        return value
