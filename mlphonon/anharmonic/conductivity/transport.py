"""Force constants of second and third order -> heat conductivity. phono3py does the work."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.anharmonic.conductivity.result import (
    Accumulation,
    ConductivityRecord,
    ThermalConductivity,
)
from mlphonon.anharmonic.conductivity.settings import ThermalConductivitySettings
from mlphonon.errors import PotentialError
from mlphonon.potentials.memory import GIGABYTE, available_memory
from mlphonon.reporter import Silent
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phono3py import Phono3py

    from mlphonon.reporter import Reporter

METHODS = {
    "rta": "std-rta",
    "lbte": "std-lbte",
    "wigner": "SMM19-rta",
    "wigner-lbte": "SMM19-lbte",
}
"""Our names and phono3py's."""

METRE = 1e6
"""In micrometres, which phono3py counts boundaries in."""

IMAGINARY = -0.05
"""THz; modes below are imaginary, those above that are negative are noise near Gamma."""

SAMPLES = 201
"""Points of an accumulation."""

SHORT = 0.5
"""Share of modes with a lifetime below a period above which phonons are no particles."""


def conduct(
    phono3py: Phono3py,
    settings: ThermalConductivitySettings,
    reporter: Reporter | None = None,
) -> ThermalConductivity:
    """Solve for the heat conductivity on one mesh.

    Parameters
    ----------
    phono3py : Phono3py
        With second and third order.
    settings : ThermalConductivitySettings
        Its mesh must be a length or three numbers.
    reporter : Reporter, optional
        Is told of each q-point.

    Returns
    -------
    ThermalConductivity
        Without record of the force constants.

    Raises
    ------
    PotentialError
        If the collision matrix would not fit into memory.
    """
    from phono3py.conductivity.factory import conductivity_calculator

    if settings.mesh == "converged":
        raise ValueError("the mesh must be a length or three numbers")
    reporter, begun = reporter or Silent(), time.perf_counter()
    phono3py.mesh_numbers = settings.mesh
    with one_blas_thread():
        # Without these a crystal that is turned conducts differently, by 1 % on coarse meshes.
        phono3py.init_phph_interaction(
            exclude_gamma_acoustic=True,
            symmetrize_tetrahedra=True,
            average_degenerate_weights=True,
        )
        phono3py.run_phonon_solver()
    _check_memory(phono3py, settings)
    lowest = float(np.asarray(phono3py.get_phonon_data()[0]).min())
    calculator: Any = conductivity_calculator(
        phono3py.phph_interaction,
        settings.temperatures.values,
        [None],
        method=METHODS[settings.transport],
        is_isotope=settings.isotope,
        boundary_mfp=None if settings.boundary is None else METRE * settings.boundary,
    )
    total = len(calculator.grid_points)
    with (
        reporter.step(f"scattering at {total} q-points", total) as count,
        one_blas_thread(),
        np.errstate(divide="ignore", invalid="ignore"),
    ):
        calculator.run(on_grid_point=lambda _i: count(1))
    return _collect(phono3py, calculator, settings, lowest, time.perf_counter() - begun)


def _check_memory(phono3py: Phono3py, settings: ThermalConductivitySettings) -> None:
    """Raise if a direct solution would take more memory than there is."""
    if not settings.transport.endswith("lbte"):
        return
    from phonopy.phonon.grid import get_ir_grid_points

    n_q = len(get_ir_grid_points(phono3py.grid)[0])
    size = 3 * 3 * len(phono3py.primitive) * n_q
    # The matrix and what its diagonalisation takes.
    needed = 3 * 8 * size**2 * len(settings.temperatures.values)
    if needed > (free := available_memory("cpu")):
        raise PotentialError(
            f"the collision matrix would take about {needed / GIGABYTE:.2g} GB",
            f"it has {size} rows; {free / GIGABYTE:.2g} GB are free",
            "take a coarser mesh, fewer temperatures, or the method rta or wigner",
        )


def _collect(
    phono3py: Phono3py,
    calculator: Any,
    settings: ThermalConductivitySettings,
    lowest: float,
    seconds: float,
) -> ThermalConductivity:
    """Take arrays out of phono3py's object; of its smearing widths there is one."""
    from phono3py.conductivity.utils import get_mfp

    direct = settings.transport.endswith("lbte")
    populations, coherences = _populations(calculator, direct), _coherences(calculator)
    n_mesh = int(np.asarray(calculator.grid_weights).sum())
    linewidths = _linewidths(calculator, settings)
    velocities = np.asarray(calculator.group_velocities)
    if direct:
        # The direct solution has paths of its own, with a direction.
        paths = np.linalg.norm(np.asarray(calculator.mfp)[0], axis=-1)
    else:
        paths = np.array([get_mfp(widths, velocities) for widths in linewidths])
    frequencies = np.asarray(calculator.frequencies)
    record = ConductivityRecord(
        settings=settings,
        mesh=tuple(int(n) for n in np.asarray(calculator.mesh_numbers).ravel()),
        volume_A3=float(phono3py.primitive.volume),
        harmonic=None,
        third_order=None,
        warnings=_warnings(lowest, frequencies, linewidths),
        seconds=round(seconds, 3),
    )
    return ThermalConductivity(
        kappa=_tensors((populations + coherences).sum(axis=(1, 2)) / n_mesh),
        coherences=_tensors(coherences.sum(axis=(1, 2)) / n_mesh),
        qpoints=np.asarray(calculator.qpoints),
        weights=np.asarray(calculator.grid_weights),
        frequencies=frequencies,
        group_velocities=velocities,
        linewidths=linewidths,
        mode_kappa=(populations + coherences)[..., :3].mean(axis=-1),
        by_frequency=_accumulate(phono3py, frequencies, populations),
        by_mean_free_path=_accumulate(phono3py, paths, populations),
        record=record,
    )


def _populations(calculator: Any, direct: bool) -> np.ndarray:
    """Conductivity within bands, shape (n_T, n_q, n_bands, 6)."""
    matrix = None if direct else _band_pairs(calculator)
    if matrix is None:
        return np.asarray(calculator.mode_kappa)[0]
    return np.einsum("tqbbc->tqbc", matrix)


def _coherences(calculator: Any) -> np.ndarray:
    """Conductivity between each band and all others, shape (n_T, n_q, n_bands, 6)."""
    matrix = _band_pairs(calculator)
    if matrix is None:
        return np.zeros_like(np.asarray(calculator.mode_kappa)[0])
    between = matrix.copy()
    bands = np.arange(between.shape[2])
    between[:, :, bands, bands] = 0
    return np.asarray(between.sum(axis=3))


def _band_pairs(calculator: Any) -> np.ndarray | None:
    """Conductivity of pairs of bands, shape (n_T, n_q, n_bands, n_bands, 6), if it is Wigner's."""
    found = getattr(calculator, "mode_kappa_matrix", None)
    return None if found is None else np.asarray(found)[0]


def _linewidths(calculator: Any, settings: ThermalConductivitySettings) -> np.ndarray:
    """All that scatters, added up, THz, shape (n_T, n_q, n_bands)."""
    from phono3py.conductivity.scattering_solvers import compute_bulk_boundary_scattering

    found = np.array(calculator.gamma)[0]
    if settings.isotope:
        found += np.asarray(calculator.gamma_isotope)[0]
    if settings.boundary is not None:
        velocities = np.asarray(calculator.group_velocities)
        found += compute_bulk_boundary_scattering(velocities, METRE * settings.boundary)
    return found


def _tensors(six: np.ndarray) -> np.ndarray:
    """From xx, yy, zz, yz, xz, xy to matrices, shape (n_T, 3, 3)."""
    return six[:, [[0, 5, 4], [5, 1, 3], [4, 3, 2]]]


def _accumulate(phono3py: Phono3py, points: np.ndarray, modes: np.ndarray) -> Accumulation:
    """Let phonopy integrate conductivities of modes along an axis by tetrahedra.

    Mean free paths, one set for each temperature, are sampled evenly in their logarithm.
    """
    from phonopy.phonon.grid import get_ir_grid_points
    from phonopy.phonon.spectrum import TetrahedronDOSAccumulator

    grid: Any = phono3py.grid
    irreducible, _, mapping = get_ir_grid_points(grid)
    # Infinite paths of modes that nothing scatters carry no heat here.
    finite = np.where(np.isfinite(points), np.maximum(points, 0), 0)
    sampling = None
    if points.ndim == 3:
        positive = finite[finite > 0]
        sampling = np.geomspace(max(positive.min(), 1e-6 * positive.max()), positive.max(), SAMPLES)
    with one_blas_thread():
        found = TetrahedronDOSAccumulator(
            finite,
            grid,
            sampling_points=sampling,
            mode_property=np.ascontiguousarray(modes),
            ir_grid_points=irreducible,
            ir_grid_map=mapping,
            num_sampling_points=SAMPLES,
        ).result
    axis = np.asarray(found.sampling_points)
    n = len(modes)
    return Accumulation(
        points=np.broadcast_to(axis, (n, axis.shape[-1])).copy() if axis.ndim == 1 else axis,
        cumulative=np.asarray(found.cumulative)[..., :3].mean(axis=-1),
        density=np.asarray(found.density)[..., :3].mean(axis=-1),
    )


def _warnings(lowest: float, frequencies: np.ndarray, linewidths: np.ndarray) -> tuple[str, ...]:
    text = []
    if lowest < IMAGINARY:
        text.append(
            f"imaginary modes on the mesh, lowest {lowest:.2f} THz: the crystal is not stable and"
            " its conductivity means nothing"
        )
    # A lifetime below a period, 1/(4 pi gamma) < 1/(2 pi f): Ioffe-Regel in time.
    short = (2 * linewidths[0] > frequencies) & (frequencies > 0)
    if short.mean() > SHORT:
        text.append(
            f"{100 * short.mean():.0f} % of the modes live shorter than a period of theirs: they"
            " are no particles at the first temperature"
        )
    return tuple(text)
