"""From a crystal to its heat conductivity: phonons, third order, transport, convergence."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.anharmonic.conductivity.result import ThermalConductivity
from mlphonon.anharmonic.conductivity.settings import ThermalConductivitySettings
from mlphonon.anharmonic.conductivity.transport import IMAGINARY, conduct
from mlphonon.anharmonic.harmonic import HarmonicStart, harmonic_start
from mlphonon.anharmonic.third_order.compute import compute_third_order
from mlphonon.anharmonic.third_order.result import ThirdOrder
from mlphonon.anharmonic.third_order.supercell import choose_matrix
from mlphonon.anharmonic.verdict import anharmonic_verdict
from mlphonon.force_constants.cells import to_ase
from mlphonon.force_constants.displacements import make_supercell
from mlphonon.temperatures import TemperatureGrid

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.reporter import Reporter

LENGTHS = (25.0, 35.0, 50.0, 70.0, 100.0, 140.0)
"""Of the meshes that are tried, A: each has 2.8 times as many points as the one before."""

COARSE = 30.0
"""Length of the mesh on which cutoffs are compared, A."""

UNSEEN = 0.05
"""Relative error of unseen forces above which the third order is named in a warning."""


def compute_thermal_conductivity(
    structure: Any,
    potential: Any = None,
    settings: ThermalConductivitySettings | None = None,
    *,
    born: Any = None,
    device: str = "auto",
    allow_pickle: bool = False,
    reporter: Reporter | None = None,
    **changes: Any,
) -> ThermalConductivity:
    """Compute the thermal conductivity of a crystal's lattice.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal, path or Phonons
        The crystal, or its harmonic phonons, which are then not computed again.
    potential : str, path, ASE calculator or Potential, optional
        By default the embedded one for a structure, and for phonons that they were made with.
    settings : ThermalConductivitySettings, optional
        Defaults otherwise.
    born, device, allow_pickle, reporter
        As `compute_phonons` takes them.
    **changes
        Settings that differ from `settings`, by name: ``temperatures="100,300"``,
        ``transport="wigner"``, ``mesh``, ``isotope``, ``boundary``, ``cutoff``, ``tolerance``,
        ``third_order={"method": "autodiff"}``, ``phonons={"min_length": 20}``.

    Returns
    -------
    ThermalConductivity

    Raises
    ------
    MlphononError
        If the crystal, a setting or the potential cannot be used.
    """
    chosen = ThermalConductivitySettings.make(settings, **changes)
    start = harmonic_start(
        structure,
        potential,
        chosen.phonons,
        born=born,
        device=device,
        allow_pickle=allow_pickle,
        reporter=reporter,
    )
    return _conduct(start, chosen)


def _conduct(start: HarmonicStart, settings: ThermalConductivitySettings) -> ThermalConductivity:
    """Compute the conductivity of a crystal whose harmonic phonons are known."""
    phonons, potential, reporter = start.phonons, start.potential, start.reporter
    third_order = settings.third_order
    series: list[tuple[str, float]] = []

    def third(cutoff: float | None) -> ThirdOrder:
        wanted = third_order.model_copy(update={"cutoff": cutoff})
        return compute_third_order(phonons, potential, wanted, reporter, start.crystal)

    if settings.cutoff == "auto":
        shells = neighbour_shells(phonons, choose_matrix(phonons, third_order, start.crystal))
        found, unsettled = _grow_cutoff(third, shells, settings, reporter, series)
    else:
        found, unsettled = third(settings.cutoff), None
    if settings.mesh == "converged":
        result, unsettled_mesh = _grow_mesh(found, settings, reporter, series)
    else:
        result, unsettled_mesh = conduct(found.phono3py, settings, reporter), None
    warnings = [*result.record.warnings, *(w for w in (unsettled, unsettled_mesh) if w)]
    if found.provenance.held_out > UNSEEN:
        warnings.append(
            f"the third order misses unseen forces by {100 * found.provenance.held_out:.0f} %:"
            " enlarge its cutoff or supercell"
        )
    update = {
        "settings": settings.model_copy(update={"phonons": phonons.record.settings}),
        "harmonic": phonons.record,
        "third_order": found.provenance,
        "warnings": tuple(warnings),
        "series": tuple(series),
        "verdict": _verdict(phonons, result),
    }
    return replace(result, record=result.record.model_copy(update=update))


def _verdict(phonons: Phonons, result: ThermalConductivity) -> str:
    unstable = float(result.frequencies.min()) < IMAGINARY
    return "do not use" if unstable else anharmonic_verdict(phonons.trust)


def neighbour_shells(phonons: Phonons, matrix: np.ndarray) -> list[float]:
    """Return distances halfway between shells of neighbours in a supercell, A, ascending.

    Parameters
    ----------
    phonons : Phonons
        Whose primitive cell is taken.
    matrix : ndarray of int, shape (3, 3)
        Of the supercell.
    """
    phonopy = make_supercell(phonons.atoms, matrix, phonons.record.settings.symprec)
    supercell = to_ase(phonopy.supercell)
    first = [int(i) for i in phonopy.primitive.p2s_map]
    distances = np.concatenate(
        [supercell.get_distances(i, range(len(supercell)), mic=True) for i in first]
    )
    shells = np.unique(np.round(distances[distances > 0.1], 2))
    # Shells less than a quarter of an angstrom apart are taken together.
    edges = [(a + b) / 2 for a, b in pairwise(shells) if b - a > 0.25]
    return [float(edge) for edge in edges]


def _grow_cutoff(
    third: Any,
    shells: list[float],
    settings: ThermalConductivitySettings,
    reporter: Reporter,
    series: list[tuple[str, float]],
) -> tuple[ThirdOrder, str | None]:
    """Add shells of neighbours until the conductivity has settled; the first shell is never enough.

    Settled means: two changes in a row were within the tolerance.
    """
    first = TemperatureGrid.of(settings.temperatures.values[:1])
    coarse = settings.model_copy(update={"mesh": COARSE, "temperatures": first})
    values: list[float] = []
    for cutoff in [*shells[1:], None]:
        found = third(cutoff)
        values.append(float(conduct(found.phono3py, coarse, reporter).average[0]))
        series.append((f"cutoff {cutoff or 'none'}" + (" A" if cutoff else ""), values[-1]))
        if _settled(values, settings.tolerance, 2):
            return found, None
    # All that the supercell has was taken: that is what is done without a cutoff.
    return found, None


def _grow_mesh(
    third: ThirdOrder,
    settings: ThermalConductivitySettings,
    reporter: Reporter,
    series: list[tuple[str, float]],
) -> tuple[ThermalConductivity, str | None]:
    """Refine the mesh until the conductivity has settled; say so if it has not."""
    values: list[float] = []
    for length in LENGTHS:
        result = conduct(third.phono3py, settings.model_copy(update={"mesh": length}), reporter)
        values.append(float(result.average[0]))
        series.append((f"mesh {'x'.join(str(n) for n in result.record.mesh)}", values[-1]))
        if _settled(values, settings.tolerance, 1):
            return result, None
    change = abs(values[-1] / values[-2] - 1)
    return result, f"the mesh is not converged: the last step changed {100 * change:.0f} %"


def _settled(values: list[float], tolerance: float, times: int) -> bool:
    """Whether the last changes, so many in a row, were within the tolerance."""
    if len(values) <= times:
        return False
    last = np.array(values[-times - 1 :])
    return bool((np.abs(np.diff(last)) <= tolerance * np.abs(last[1:])).all())
