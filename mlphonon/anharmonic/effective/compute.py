"""Harmonic phonons + potential -> effective phonons of a temperature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.effective.dynamics import Langevin
from mlphonon.anharmonic.effective.fit import ForceConstantFit, fit
from mlphonon.anharmonic.effective.settings import EffectiveSettings
from mlphonon.anharmonic.renormalised import with_force_constants
from mlphonon.anharmonic.sscha.compute import self_consistent_phonons
from mlphonon.anharmonic.sscha.displaced_supercell import DisplacedSupercell
from mlphonon.anharmonic.sscha.fitting import Fitter
from mlphonon.anharmonic.sscha.gaussian import CAUTIOUS, Ensemble, Gaussian
from mlphonon.anharmonic.sscha.reference import Reference
from mlphonon.anharmonic.sscha.settings import SschaSettings, check_temperature
from mlphonon.phonons.renormalisation import Renormalisation
from mlphonon.reporter import Silent
from mlphonon.system.threads import one_blas_thread

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter

STEPS_A_PERIOD = 15
"""Time steps in the shortest harmonic period."""


def effective_phonons(
    phonons: Phonons,
    potential: Potential,
    temperature: float,
    settings: EffectiveSettings | None = None,
    reporter: Reporter | None = None,
) -> Phonons:
    """Fit force constants to the forces on atoms that move at a temperature.

    In classical equilibrium <F u> = -kT, so least squares gives kT over the covariance of
    displacements: the static response. Where there are third-order terms, its counterpart among
    self-consistent phonons is the curvature of the free energy, not the springs.

    Parameters
    ----------
    phonons : Phonons
        Harmonic, made with the same potential.
    potential : Potential
        Moves the atoms.
    temperature : float
        K; above zero for classical atoms.
    settings : EffectiveSettings, optional
        Defaults otherwise.
    reporter : Reporter, optional
        Is told what is being done.

    Raises
    ------
    SettingsError
        If the temperature is negative, or zero for classical atoms.
    CrystalError
        If an atom leaves its place.
    """
    chosen, reporter = settings or EffectiveSettings(), reporter or Silent()
    if chosen.statistics == "quantum":
        return _drawn(phonons, potential, temperature, chosen, reporter)
    check_temperature(temperature, "classical")
    displaced = DisplacedSupercell.of(phonons, potential, chosen.min_length, reporter)
    record = phonons.record
    with one_blas_thread():
        energy = potential.evaluate([phonons.atoms])[0].energy
        reference = Reference.of(phonons.atoms, displaced.matrix, record.settings.symprec, energy)
        fitter = Fitter(reference.phonopy)
        motion, every = _start(reference, displaced.harmonic, (potential, temperature), chosen)
    settling = round(chosen.equilibration / motion.time_step)
    with reporter.step(f"{record.name} coming to {temperature:g} K", settling) as count:
        motion.run(1, settling, count) if settling else None
    each = -(-chosen.snapshots // chosen.trajectories)
    snapshots = None
    for number in range(1, chosen.max_rounds + 1):
        what = f"{record.name} at {temperature:g} K, round {number}"
        with reporter.step(what, each * every) as count:
            more = motion.run(each, every, count)
        snapshots = more if snapshots is None else snapshots.followed_by(more)
        with one_blas_thread():
            found = fit(reference, fitter, snapshots)
        error = reference.rms(found.errors)
        reporter.say(f"round {number}: frequencies to {error:.3f} THz")
        if error <= chosen.tolerance:
            break
    n_atoms = len(reference.masses)
    how = _describe(temperature, found, error, (number, n_atoms), chosen)
    atoms = phonons.atoms.copy()
    atoms.positions += found.centroids
    constants = displaced.in_large(reference.phonopy, found.force_constants)
    return with_force_constants(phonons, atoms, constants, how, displaced.large)


def _start(
    reference: Reference,
    harmonic: np.ndarray,
    where: tuple[Potential, float],
    settings: EffectiveSettings,
) -> tuple[Langevin, int]:
    """Set out from where harmonic atoms would be; return the steps between snapshots, too."""
    potential, temperature = where
    frequencies = reference.frequencies(harmonic)
    typical = reference.rms(frequencies)
    motion = Langevin(
        reference=reference,
        potential=potential,
        temperature=temperature,
        time_step=settings.time_step or 1 / (STEPS_A_PERIOD * float(frequencies.max())),
        friction=settings.friction or 2 * np.pi * typical,
        seed=settings.seed,
    )
    nothing = np.zeros((len(reference.atoms), 3))
    ensemble = Ensemble(temperature, "classical")
    density = Gaussian.of(reference, ensemble, harmonic, nothing, CAUTIOUS)
    # Drawn in pairs of opposites; one of each is an independent start.
    motion.start(density.draw(2 * settings.trajectories, settings.seed + 1)[::2])
    return motion, max(1, round(1 / (typical * motion.time_step)))


def _describe(
    temperature: float,
    found: ForceConstantFit,
    error: float,
    size: tuple[int, int],
    settings: EffectiveSettings,
) -> Renormalisation:
    rounds, n_atoms = size
    each = -(-settings.snapshots // settings.trajectories)
    return Renormalisation(
        method="effective",
        temperature_K=temperature,
        statistics="classical",
        n_atoms=n_atoms,
        n_snapshots=rounds * each * settings.trajectories,
        n_effective=found.n_effective,
        iterations=rounds,
        converged=error <= settings.tolerance,
        frequency_error_THz=float(found.errors.max()),
        mean_frequency_error_THz=error,
        centroid_shift_A=float(np.linalg.norm(found.centroids, axis=1).max()),
    )


def _drawn(
    phonons: Phonons,
    potential: Potential,
    temperature: float,
    settings: EffectiveSettings,
    reporter: Reporter,
) -> Phonons:
    """Draw quantum atoms from the force constants found so far until these stand still."""
    found = self_consistent_phonons(
        phonons,
        potential,
        temperature,
        SschaSettings(
            min_length=settings.min_length,
            snapshots=2 * (-(-settings.snapshots // 2)),
            max_populations=settings.max_rounds,
            tolerance=settings.tolerance,
            reweight=False,
            seed=settings.seed,
        ),
        reporter,
    ).phonons
    how = found.record.renormalisation
    assert how is not None
    # Of free energies it knows nothing: force constants alone were asked for.
    how = how.model_copy(
        update={"method": "effective", "free_energy_eV": None, "free_energy_error_eV": None}
    )
    record = found.record.model_copy(update={"renormalisation": how, "method": "effective"})
    return type(found)(found.phonopy, record)
