"""Grueneisen parameters from phonons at two volumes. phonopy takes the differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mlphonon.anharmonic.gruneisen.result import (
    SOFT,
    Gruneisen,
    GruneisenRecord,
    heat_weights,
)
from mlphonon.anharmonic.gruneisen.settings import GruneisenSettings
from mlphonon.anharmonic.harmonic import HarmonicStart, harmonic_start
from mlphonon.anharmonic.strained import strained_phonons, volume_stretch
from mlphonon.anharmonic.verdict import anharmonic_verdict
from mlphonon.crystal.crystal import space_group_number
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from phonopy import Phonopy

    from mlphonon.phonons.phonons import Phonons
    from mlphonon.reporter import Reporter

NONLINEAR = 0.1
"""Change of the mean with twice the strain above which a warning is given."""


def compute_gruneisen(
    structure: Any,
    potential: Any = None,
    settings: GruneisenSettings | None = None,
    *,
    born: Any = None,
    device: str = "auto",
    allow_pickle: bool = False,
    reporter: Reporter | None = None,
    **changes: Any,
) -> Gruneisen:
    """Compute mode Grueneisen parameters from differences between volumes.

    Positions relax at each volume, and the shape of a cell that is not cubic; so these are the
    changes under hydrostatic pressure.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal, path or Phonons
        The crystal, or its harmonic phonons, which are then not computed again.
    potential : str, path, ASE calculator or Potential, optional
        By default the embedded one for a structure, and for phonons that they were made with.
    settings : GruneisenSettings, optional
        Defaults otherwise.
    born, device, allow_pickle, reporter
        As `compute_phonons` takes them.
    **changes
        Settings that differ from `settings`, by name: ``third_order=True``,
        ``phonons={"min_length": 20}``, ...

    Raises
    ------
    MlphononError
        If the crystal, a setting or the potential cannot be used, or a strained crystal does not
        relax.
    """
    chosen = GruneisenSettings.make(settings, **changes)
    start = harmonic_start(
        structure,
        potential,
        chosen.phonons,
        born=born,
        device=device,
        allow_pickle=allow_pickle,
        reporter=reporter,
    )
    return _compare_volumes(start, chosen)


def _compare_volumes(start: HarmonicStart, chosen: GruneisenSettings) -> Gruneisen:
    """Take the differences between strained crystals whose phonons at rest are known."""
    phonons, engine, reporter = start.phonons, start.potential, start.reporter
    number = space_group_number(phonons.record.spacegroup)
    shape = chosen.cell == "shape" and number < 195
    relaxes: Literal["shape", "none"] = "shape" if shape else "none"

    def at(strain: float) -> Phonopy:
        reporter.say(f"volume {100 * strain:+g} %")
        stretch = volume_stretch(strain)
        return strained_phonons(phonons, engine, stretch, relaxes, reporter).phonopy

    pairs = {n: (at(n * chosen.strain), at(-n * chosen.strain)) for n in (1, 2)}
    mesh = {n: _on_mesh(phonons, *pair) for n, pair in pairs.items()}
    qpoints, weights, frequencies, gamma = mesh[1]
    share = heat_weights(frequencies, weights, 300.0)
    mean = float((share * gamma).sum())
    nonlinearity = abs(float((share * mesh[2][3]).sum()) - mean) / max(abs(mean), 1e-3)
    by_third, difference = None, None
    if chosen.third_order:
        from mlphonon.anharmonic.gruneisen.by_third_order import gamma_by_third_order

        by_third = gamma_by_third_order(phonons, engine, qpoints, reporter)
        difference = float(np.sqrt((share * (by_third - gamma) ** 2).sum()))
    warnings = _warnings(phonons, nonlinearity)
    distances, path_frequencies, path_gamma = _on_path(phonons, *pairs[1])
    return Gruneisen(
        qpoints=qpoints,
        weights=weights,
        frequencies=frequencies,
        gamma=gamma,
        path_distances=distances,
        path_frequencies=path_frequencies,
        path_gamma=path_gamma,
        path_labels=phonons.bands().labels,
        third_order=by_third,
        record=GruneisenRecord(
            settings=chosen.model_copy(update={"phonons": phonons.record.settings}),
            harmonic=phonons.record,
            cell=relaxes,
            nonlinearity=nonlinearity,
            third_order_difference=difference,
            warnings=tuple(warnings),
            verdict=anharmonic_verdict(phonons.trust),
        ),
    )


def _differences(phonons: Phonons, larger: Phonopy, smaller: Phonopy) -> Any:
    from phonopy import PhonopyGruneisen

    return PhonopyGruneisen(phonons.phonopy, larger, smaller)


def _on_mesh(
    phonons: Phonons, larger: Phonopy, smaller: Phonopy
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return q-points, weights, frequencies (THz, ascending) and gamma on the mesh."""
    _ = phonons.mesh
    numbers = phonons.phonopy.mesh.mesh_numbers
    with one_blas_thread(), np.errstate(divide="ignore", invalid="ignore"):
        found = _differences(phonons, larger, smaller)
        found.set_mesh(numbers, is_gamma_center=True)
        qpoints, weights, frequencies, _, gamma = found.get_mesh()
    return _ascending(qpoints, weights, frequencies, gamma)


def _ascending(
    qpoints: Any, weights: Any, frequencies: Any, gamma: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    frequencies, gamma = np.asarray(frequencies), np.asarray(gamma)
    order = np.argsort(frequencies, axis=1)
    frequencies = np.take_along_axis(frequencies, order, axis=1)
    gamma = np.take_along_axis(gamma, order, axis=1)
    # Where a frequency vanishes there is no gamma.
    gamma = np.where(np.abs(frequencies) > SOFT, gamma, 0.0)
    return np.asarray(qpoints), np.asarray(weights), frequencies, gamma


def _on_path(
    phonons: Phonons, larger: Phonopy, smaller: Phonopy
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Return distances, frequencies and gamma along the band path."""
    bands = phonons.bands()
    with one_blas_thread(), np.errstate(divide="ignore", invalid="ignore"):
        found = _differences(phonons, larger, smaller)
        found.set_band_structure(list(bands.segments))
        _, _, frequencies, _, gamma = found.get_band_structure()
    return (
        bands.distances,
        tuple(np.asarray(f) for f in frequencies),
        # Where a frequency vanishes there is no gamma, and nothing is drawn.
        tuple(
            np.where(np.abs(f) > SOFT, g, np.nan) for f, g in zip(frequencies, gamma, strict=True)
        ),
    )


def _warnings(phonons: Phonons, nonlinearity: float) -> list[str]:
    text = []
    if not phonons.stability.stable_by_threshold:
        text.append(
            f"{phonons.stability.describe()}: gamma of imaginary modes means nothing, and they are"
            " left out of means"
        )
    if nonlinearity > NONLINEAR:
        text.append(
            f"twice the strain changes the mean by {100 * nonlinearity:.0f} %: frequencies do not"
            " answer in proportion"
        )
    return text
