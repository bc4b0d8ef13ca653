"""Phonons at several volumes -> thermal expansion. phonopy fits and differentiates."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.anharmonic.expansion.anisotropic import free_axes
from mlphonon.anharmonic.expansion.result import Axes, ExpansionRecord, ThermalExpansion
from mlphonon.anharmonic.expansion.settings import ThermalExpansionSettings
from mlphonon.anharmonic.harmonic import HarmonicStart, harmonic_start
from mlphonon.anharmonic.strained import strained_phonons, volume_stretch
from mlphonon.anharmonic.verdict import anharmonic_verdict
from mlphonon.crystal.crystal import space_group_number
from mlphonon.errors import CrystalError
from mlphonon.system.threads import one_blas_thread
from mlphonon.units import GPA_PER_EV_PER_A3, J_PER_EV_MOL

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter

LEAST = 5
"""Volumes that an equation of state takes."""


@dataclass(frozen=True)
class AtVolume:
    """Phonons at one volume.

    Attributes
    ----------
    strain : float
        Relative change of the volume.
    phonons : Phonons
        There.
    """

    strain: float
    phonons: Phonons

    @property
    def volume(self) -> float:
        """Of the primitive cell, A^3."""
        return float(self.phonons.phonopy.primitive.volume)

    @property
    def energy(self) -> float:
        """Of the primitive cell at rest, eV."""
        return self.phonons.record.energy_eV_per_atom * len(self.phonons.phonopy.primitive)

    @property
    def stable(self) -> bool:
        """Whether no mode is imaginary."""
        return self.phonons.stability.stable_by_threshold


def compute_thermal_expansion(
    structure: Any,
    potential: Any = None,
    settings: ThermalExpansionSettings | None = None,
    *,
    born: Any = None,
    device: str = "auto",
    allow_pickle: bool = False,
    reporter: Reporter | None = None,
    **changes: Any,
) -> ThermalExpansion:
    """Compute the thermal expansion of a crystal in the quasi-harmonic approximation.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal, path or Phonons
        The crystal, or its harmonic phonons, which are then not computed again.
    potential : str, path, ASE calculator or Potential, optional
        By default the embedded one for a structure, and for phonons that they were made with.
    settings : ThermalExpansionSettings, optional
        Defaults otherwise.
    born, device, allow_pickle, reporter
        As `compute_phonons` takes them.
    **changes
        Settings that differ from `settings`, by name: ``temperatures="0:1500:10"``,
        ``anisotropic=True``, ``phonons={"min_length": 20}``, ...

    Returns
    -------
    ThermalExpansion

    Raises
    ------
    MlphononError
        If the crystal, a setting or the potential cannot be used, the crystal is not stable at
        rest, or imaginary modes leave fewer than five volumes.
    """
    chosen = ThermalExpansionSettings.make(settings, **changes)
    start = harmonic_start(
        structure,
        potential,
        chosen.phonons,
        born=born,
        device=device,
        allow_pickle=allow_pickle,
        reporter=reporter,
    )
    return _expand(start, chosen)


def _expand(start: HarmonicStart, settings: ThermalExpansionSettings) -> ThermalExpansion:
    """Compute the expansion of a crystal whose phonons at rest are known."""
    phonons, potential, reporter = start.phonons, start.potential, start.reporter
    if not phonons.stability.stable_by_threshold:
        raise CrystalError(
            f"{phonons.record.name} is not stable at rest: {phonons.stability.describe()}",
            "a quasi-harmonic calculation has no free energy for imaginary modes",
            "see 'mlphonon phonons --explain', or use 'mlphonon phonons-at-temperature'",
        )
    found = _Volumes(phonons, potential, settings, reporter)
    strains = np.linspace(settings.smallest, settings.largest, settings.volumes)
    points = found.at(list(strains))
    step = float(strains[1] - strains[0])
    fitted, temperatures = _fit(points, settings, phonons)
    # A volume further, until that of the last temperature is among those computed.
    while (
        len(temperatures) < len(settings.fine_grid())
        and points[-1].stable
        and points[-1].strain + step <= settings.furthest
    ):
        points += found.at([points[-1].strain + step])
        fitted, temperatures = _fit(points, settings, phonons)
    remarks = _warnings(points, settings, temperatures, phonons)
    axes = _axes(fitted, len(temperatures))
    if settings.anisotropic:
        volumes = points[0].strain, points[-1].strain
        axes = free_axes(phonons, potential, volumes, temperatures, settings.pressure, reporter)
        known = np.isfinite(axes.lengths[:, 0])
        if not known.all():
            remarks.append(
                f"axes are known at {known.sum()} of {len(known)} temperatures: elsewhere their"
                " free energy is least outside the cells that were computed"
            )
    fine = _Fit(fitted, temperatures, axes)
    return _result(phonons, points, settings, fine, tuple(remarks))


@dataclass(frozen=True)
class _Fit:
    """What phonopy fitted, on the fine grid as far as the volumes reach."""

    fitted: Any
    temperatures: np.ndarray
    axes: Axes | None

    def at(self, wanted: np.ndarray, values: Any) -> np.ndarray:
        """Return values that were fitted, at temperatures between, shape (n_wanted, ...)."""
        known = np.asarray(values)[: len(self.temperatures)]
        index = np.searchsorted(self.temperatures, wanted - 1e-6)
        if np.allclose(self.temperatures[index], wanted, atol=1e-6):
            return np.asarray(known[index])
        from scipy.interpolate import CubicSpline

        return np.asarray(CubicSpline(self.temperatures, known)(wanted))


@dataclass(frozen=True)
class _Volumes:
    """Computes phonons at volumes."""

    phonons: Phonons
    potential: Potential
    settings: ThermalExpansionSettings
    reporter: Reporter

    def at(self, strains: list[float]) -> list[AtVolume]:
        """Compute some volumes."""
        cubic = _is_cubic(self.phonons)
        shape = self.settings.cell == "shape" and not cubic
        made = []
        for strain in strains:
            self.reporter.say(f"volume {100 * strain:+.1f} %")
            made.append(
                AtVolume(
                    strain,
                    strained_phonons(
                        self.phonons,
                        self.potential,
                        volume_stretch(strain),
                        "shape" if shape else "none",
                        self.reporter,
                        self.settings.relax_positions,
                    ),
                )
            )
        return made


def _is_cubic(phonons: Phonons) -> bool:
    return space_group_number(phonons.record.spacegroup) >= 195


def _fit(
    points: list[AtVolume], settings: ThermalExpansionSettings, phonons: Phonons
) -> tuple[Any, np.ndarray]:
    """Let phonopy fit; return its result and the temperatures whose volumes lie among those.

    Raises
    ------
    CrystalError
        If fewer than five volumes are stable.
    """
    usable = [point for point in points if point.stable]
    if len(usable) < LEAST:
        raise CrystalError(
            f"{phonons.record.name} has imaginary modes at {len(points) - len(usable)} of"
            f" {len(points)} volumes",
            f"a quasi-harmonic calculation takes {LEAST} stable ones",
            "see 'mlphonon phonons --explain', or use 'mlphonon phonons-at-temperature'",
        )
    grid = settings.fine_grid()
    step = grid[1] - grid[0]
    result = run_phonopy(
        [point.phonons.phonopy for point in usable],
        [point.energy for point in usable],
        np.append(grid, grid[-1] + step),
        settings,
        phonons.record.settings.mesh,
    )
    largest = max(point.volume for point in usable)
    smallest = min(point.volume for point in usable)
    volumes = np.asarray(result.equilibrium_volumes)
    inside = (volumes < largest) & (volumes > smallest)
    until = len(volumes) if inside.all() else int(np.argmin(inside))
    return result, np.asarray(result.temperatures)[:until]


def run_phonopy(
    phonopys: list[Phonopy],
    energies: list[float],
    temperatures: np.ndarray,
    settings: ThermalExpansionSettings,
    mesh: float,
) -> Any:
    """Run phonopy's quasi-harmonic fit on a Gamma-centred mesh.

    Parameters
    ----------
    phonopys : list of Phonopy
        One for each volume, with force constants.
    energies : list of float
        Static, eV for each primitive cell.
    temperatures : ndarray, shape (n,)
        K; the last is used up by differences.
    settings : ExpansionSettings
        Equation of state and pressure.
    mesh : float
        Length that sets the mesh, A; that of the first crystal is used for all.

    Returns
    -------
    QHAResult
        phonopy's, in eV, A, K.
    """
    from phonopy.qha.qha import run_qha

    with one_blas_thread(), warnings.catch_warnings():
        # Of temperatures beyond the range, which are left out.
        warnings.filterwarnings("ignore", message="Lattice parameters are extrapolated")
        return run_qha(
            phonopys,
            temperatures,
            energies,
            mesh=mesh,
            pressure=settings.pressure or None,
            eos=settings.eos,
            exclude_gamma_acoustic=True,
        )


def _axes(fitted: Any, n_temperatures: int) -> Axes | None:
    lattice = fitted.lattice
    if lattice is None:
        return None
    lengths = np.asarray(lattice.lattice_parameters)[:n_temperatures]
    if np.ptp(lengths[0]) < 1e-3:
        return None
    return Axes(lengths, np.asarray(lattice.axial_thermal_expansions)[:n_temperatures])


def _warnings(
    points: list[AtVolume],
    settings: ThermalExpansionSettings,
    temperatures: np.ndarray,
    phonons: Phonons,
) -> list[str]:
    remarks = []
    wanted = settings.fine_grid()[-1]
    if not len(temperatures) or temperatures[-1] < settings.temperatures.values[0]:
        raise CrystalError(
            f"the volume of {phonons.record.name} lies outside those that were computed at every"
            " temperature",
            fix="give other volumes, or see 'mlphonon phonons --explain'",
        )
    if temperatures[-1] < wanted:
        unstable = [point for point in points if point.strain > 0 and not point.stable]
        why = (
            f"imaginary modes from {100 * unstable[0].strain:+.1f} % on"
            if unstable
            else f"volumes end at {100 * points[-1].strain:+.1f} %"
        )
        remarks.append(
            f"the range ends at {temperatures[-1]:g} K: above, the volume would leave those without"
            f" imaginary modes ({why})"
        )
    if not settings.relax_positions:
        remarks.append("positions were not relaxed in the strained cells")
    return remarks


def _result(
    phonons: Phonons,
    points: list[AtVolume],
    settings: ThermalExpansionSettings,
    fit: _Fit,
    remarks: tuple[str, ...],
) -> ThermalExpansion:
    """Report at the temperatures that were asked for, as far as the volumes reach."""
    fitted, asked = fit.fitted, settings.temperatures.values
    wanted = asked[asked <= fit.temperatures[-1] + 1e-6]
    left_out = tuple(
        f"volume {100 * p.strain:+.1f} %,"
        f" lowest mode {p.phonons.stability.lowest_frequency_THz:.2f}"
        " THz"
        for p in points
        if not p.stable
    )
    axes = fit.axes
    if axes is not None:
        axes = Axes(fit.at(wanted, axes.lengths), fit.at(wanted, axes.expansions))
    return ThermalExpansion(
        temperatures=wanted,
        volumes=np.asarray(fitted.volumes),
        static_energies=np.array([p.energy for p in points if p.stable]),
        helmholtz=fit.at(wanted, fitted.helmholtz_volume),
        equilibrium_volumes=fit.at(wanted, fitted.equilibrium_volumes),
        expansion=fit.at(wanted, fitted.thermal_expansion),
        bulk_moduli=GPA_PER_EV_PER_A3 * fit.at(wanted, fitted.bulk_moduli),
        heat_capacity=J_PER_EV_MOL * fit.at(wanted, fitted.heat_capacity_P.heat_capacities),
        gruneisen=fit.at(wanted, fitted.gruneisen_parameters),
        n_atoms=len(phonons.atoms),
        axes=axes,
        record=ExpansionRecord(
            settings=settings.model_copy(update={"phonons": phonons.record.settings}),
            harmonic=phonons.record,
            left_out=left_out,
            warnings=remarks,
            verdict=anharmonic_verdict(phonons.trust),
        ),
    )
