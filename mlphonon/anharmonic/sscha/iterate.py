"""From samples to the force constants and mean places that are consistent with themselves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mlphonon.anharmonic.sscha.fitting import Fitter
from mlphonon.anharmonic.sscha.gaussian import MELTED, Ensemble, Gaussian
from mlphonon.anharmonic.sscha.reference import Reference
from mlphonon.anharmonic.sscha.samples import GROUPS, Samples, effective_number
from mlphonon.anharmonic.sscha.settings import SschaSettings
from mlphonon.system.threads import one_blas_thread
from mlphonon.units import GPA_PER_EV_PER_A3

MOST_STEPS = 60
"""Steps on the same samples; each halves what is left of the change (with a mixing of a half)."""

SETTLED = 0.05
"""Share of the tolerance below which a step counts as none."""


@dataclass(frozen=True)
class Trial:
    """Force constants and mean places, in some state of consistency.

    Attributes
    ----------
    force_constants : ndarray, shape (n, n, 3, 3)
        As they were fitted, eV/A^2; modes may be imaginary.
    centroids : ndarray, shape (n_primitive, 3)
        Mean places from those of the reference, A.
    """

    force_constants: np.ndarray
    centroids: np.ndarray


@dataclass(frozen=True)
class SampledDensity:
    """What samples say.

    Attributes
    ----------
    trial : Trial
        The last.
    density : Gaussian
        Its distribution.
    weights : ndarray, shape (n_snapshots,)
        Of the samples, for that.
    frequencies : ndarray, shape (n_q, n_bands)
        Of the trial, THz.
    settled : bool
        Whether another step on the same samples changes nothing.
    """

    trial: Trial
    density: Gaussian
    weights: np.ndarray
    frequencies: np.ndarray
    settled: bool

    @cached_property
    def n_effective(self) -> float:
        """As many equal samples as these are worth."""
        return effective_number(self.weights)


@dataclass(frozen=True)
class Consistency:
    """Finds what is consistent with itself.

    Attributes
    ----------
    reference : Reference
        Places, and their symmetry.
    ensemble : Ensemble
        Temperature and statistics.
    settings : SschaSettings
        Of the steps.
    fitter : Fitter
        Of force constants.
    """

    reference: Reference
    ensemble: Ensemble
    settings: SschaSettings
    fitter: Fitter

    def density(self, trial: Trial, farthest: float = MELTED) -> Gaussian:
        """Return the distribution of a trial; atoms go no farther than that (see `MELTED`)."""
        constants, centroids = trial.force_constants, trial.centroids
        return Gaussian.of(self.reference, self.ensemble, constants, centroids, farthest)

    def find(
        self, samples: Samples, start: Trial, kept: np.ndarray | None = None
    ) -> SampledDensity:
        """Fit, weigh again, fit again, until nothing changes or the samples are worth too little.

        Parameters
        ----------
        samples : Samples
            Are not added to.
        start : Trial
            First trial.
        kept : ndarray of bool, shape (n_snapshots,), optional
            Which samples are used; all by default.
        """
        kept = np.ones(samples.number, dtype=bool) if kept is None else kept
        enough = self.settings.min_effective * min(self.settings.snapshots, int(kept.sum()))
        steps = MOST_STEPS if self.settings.reweight else 1
        trial, before = start, self.reference.frequencies(start.force_constants)
        settled = False
        with one_blas_thread():
            for number in range(steps):
                density = self.density(trial)
                weights = samples.weights(density)[kept]
                weights = weights / weights.sum()
                if number and effective_number(weights) < enough:
                    break
                fitted = self._fit(samples, density, weights, kept)
                after = self.reference.frequencies(fitted.force_constants)
                change = self.reference.rms(after - before)
                moved = float(np.abs(fitted.centroids - trial.centroids).max(initial=0.0))
                limit = SETTLED * self.settings.tolerance
                if change < limit and moved < CENTROID_STEP:
                    settled, trial = density.is_own, fitted
                    break
                # Force constants that atoms cannot be distributed by are worth no share.
                is_mixed = self.settings.reweight and density.is_own
                trial = self._mixed(trial, fitted) if is_mixed else fitted
                before = self.reference.frequencies(trial.force_constants)
            density = self.density(trial)
            weights = samples.weights(density)[kept]
            frequencies = self.reference.frequencies(trial.force_constants)
            settled = settled or (not self.settings.reweight and density.is_own)
        return SampledDensity(trial, density, weights / weights.sum(), frequencies, settled)

    def _fit(
        self, samples: Samples, density: Gaussian, weights: np.ndarray, kept: np.ndarray
    ) -> Trial:
        """Fit force constants about the mean places, and move these along the mean force."""
        away, forces = samples.moved[kept] - density.centre, samples.forces[kept]
        # What is linear has no mean; without it the mean is less noisy.
        rest = forces - density.forces_at(samples.moved[kept])
        mean = self.reference.average(np.einsum("s,sia->ia", weights, rest))
        free = self.reference.free_moves
        pull = np.einsum("kia,ia->k", free, mean)
        mean = np.einsum("k,kia->ia", pull, free)
        found = self.fitter.second_order(away, forces - mean[self.reference.of_primitive], weights)
        if not self.settings.centroids or not len(free):
            return Trial(found, density.centroids)
        stiffness = self._stiffness(density.force_constants)
        step = np.einsum("k,kia->ia", np.linalg.solve(stiffness, pull), free)
        largest = np.linalg.norm(step, axis=1).max()
        return Trial(found, density.centroids + step * min(1.0, LONGEST / max(largest, 1e-12)))

    def _stiffness(self, force_constants: np.ndarray) -> np.ndarray:
        """Of the free moves of the primitive cell's atoms, eV/A^2, shape (n_free, n_free)."""
        free = self.reference.free_moves
        everywhere = free[:, self.reference.of_primitive]
        return np.asarray(
            np.einsum("kia,ijab,ljb->kl", everywhere, force_constants, everywhere, optimize=True)
            / self.reference.n_cells
        )

    def _mixed(self, old: Trial, new: Trial) -> Trial:
        share = self.settings.mixing
        return Trial(
            (1 - share) * old.force_constants + share * new.force_constants,
            (1 - share) * old.centroids + share * new.centroids,
        )


LONGEST = 0.1
"""Step of a mean place, A, at most."""

CENTROID_STEP = 1e-5
"""Step of a mean place that counts as none, A."""


@dataclass(frozen=True)
class Estimate:
    """Numbers of a consistent state.

    Attributes
    ----------
    frequencies : ndarray, shape (n_q, n_bands)
        THz, at the wave vectors of the reference.
    free_energy : float
        Of the supercell, from its energy at rest, harmonic part by its own modes alone, eV.
    stress : ndarray, shape (3, 3)
        GPa, positive under tension; NaN where the potential gives none.
    pressure : float
        Minus a third of its trace, GPa.
    centroids : ndarray, shape (n_primitive, 3)
        Mean places from those of the reference, A.
    """

    frequencies: np.ndarray
    free_energy: float
    stress: np.ndarray
    pressure: float
    centroids: np.ndarray


def estimate(samples: Samples, found: SampledDensity, kept: np.ndarray | None = None) -> Estimate:
    """Average what samples say of a consistent state.

    The free energy is that of the trial's modes plus the mean of what the potential has more than
    its springs; the stress that of the potential plus that of the motion (Monacelli et al., Phys.
    Rev. B 98, 024106 (2018)).
    """
    density, weights = found.density, found.weights
    kept = slice(None) if kept is None else kept  # type: ignore[assignment]
    extra = samples.energies[kept] - density.energy_of(samples.moved[kept])
    volume = density.reference.supercell.get_volume()
    stress = np.einsum("s,sab->ab", weights, samples.stresses[kept])
    stress = 0.5 * (stress + stress.T) - density.kinetic() / volume
    stress *= GPA_PER_EV_PER_A3
    return Estimate(
        found.frequencies,
        density.free_energy() + float(weights @ extra),
        stress,
        -float(np.trace(stress)) / 3,
        found.trial.centroids,
    )


def standard_errors(consistency: Consistency, samples: Samples, found: SampledDensity) -> Estimate:
    """Find standard errors of an `Estimate`, by leaving out parts of the samples (jackknife).

    Each time what is left is made consistent again, so that how an error of the force constants
    changes the distribution, and that the force constants, is in it.
    """
    parts = [
        estimate(samples, consistency.find(samples, found.trial, kept), kept)
        for kept in (samples.groups != group for group in range(GROUPS))
        if 0 < kept.sum() < samples.number
    ]
    return Estimate(
        _jackknife([one.frequencies for one in parts]),
        float(_jackknife([np.array(one.free_energy) for one in parts])),
        _jackknife([one.stress for one in parts]),
        float(_jackknife([np.array(one.pressure) for one in parts])),
        _jackknife([one.centroids for one in parts]),
    )


def _jackknife(values: list[np.ndarray]) -> np.ndarray:
    """Return the standard error of a number from what it is without each of several equal parts."""
    n = len(values)
    return np.asarray(np.sqrt((n - 1) * np.var(values, axis=0)))
