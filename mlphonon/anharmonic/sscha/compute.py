"""Harmonic phonons + potential -> the self-consistent phonons of a temperature."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.renormalised import with_force_constants
from mlphonon.anharmonic.sscha.cell import CellSearch, strained
from mlphonon.anharmonic.sscha.displaced_supercell import DisplacedSupercell, full_force_constants
from mlphonon.anharmonic.sscha.fitting import Fitter
from mlphonon.anharmonic.sscha.gaussian import Ensemble
from mlphonon.anharmonic.sscha.hessian import free_energy_hessian
from mlphonon.anharmonic.sscha.history import Commensurate, History, Step
from mlphonon.anharmonic.sscha.iterate import Consistency, Trial
from mlphonon.anharmonic.sscha.populations import Drawing, Solution
from mlphonon.anharmonic.sscha.reference import Reference
from mlphonon.anharmonic.sscha.settings import SschaSettings, check_temperature
from mlphonon.phonons.renormalisation import Renormalisation
from mlphonon.system.threads import one_blas_thread
from mlphonon.units import THZ_OF_STIFFNESS

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter


@dataclass(frozen=True)
class SelfConsistent:
    """Self-consistent phonons, and how they were found.

    Attributes
    ----------
    phonons : Phonons
        With the mean second derivatives of the energy for force constants, about the mean places.
    history : History
        Convergence, errors, settings.
    curvature : Phonons, optional
        With the second derivatives of the free energy instead: imaginary modes are instabilities.
    """

    phonons: Phonons
    history: History
    curvature: Phonons | None = None


def self_consistent_phonons(
    phonons: Phonons,
    potential: Potential,
    temperature: float,
    settings: SschaSettings | None = None,
    reporter: Reporter | None = None,
) -> SelfConsistent:
    """Find the Gaussian distribution of atoms whose free energy is least.

    The stochastic self-consistent harmonic approximation (Errea, Calandra and Mauri, Phys. Rev. B
    89, 064302 (2014); Monacelli et al., J. Phys.: Condens. Matter 33, 363001 (2021)): at the
    minimum, force constants are the mean second derivatives of the energy over the distribution
    they stand for, and mean forces vanish. Displaced supercells are drawn from it by phonopy,
    evaluated together, and the force constants of least squares are found by symfc; they are made
    consistent with the same supercells, weighted, before others are drawn.

    Parameters
    ----------
    phonons : Phonons
        Harmonic ones, made with the same potential; imaginary modes do no harm.
    potential : Potential
        Evaluates displaced supercells.
    temperature : float
        K, from 0.
    settings : SschaSettings, optional
        Defaults otherwise.
    reporter : Reporter, optional
        Is told what is being done.

    Raises
    ------
    SettingsError
        If the temperature is negative, or zero for classical atoms.
    PotentialError
        If a pressure is asked for and the potential gives no stress.
    """
    from mlphonon.reporter import Silent

    settings, reporter = settings or SschaSettings(), reporter or Silent()
    check_temperature(temperature, settings.statistics)
    displaced = DisplacedSupercell.of(phonons, potential, settings.min_length, reporter)
    drawing = Drawing(potential, reporter, phonons.record.name)
    ensemble = Ensemble(temperature, settings.statistics)
    task = _Task(phonons, displaced, drawing, ensemble, settings)
    consistency = task.consistency(phonons.atoms)
    harmonic = consistency.reference.frequencies(displaced.harmonic)
    start = Trial(displaced.harmonic, np.zeros((len(phonons.atoms), 3)))
    if settings.pressure is None:
        solution = task.drawing.solve(consistency, start)
    else:
        consistency, solution = task.at_pressure(consistency, start, settings.pressure)
    return task.result(consistency, solution, harmonic)


@dataclass(frozen=True)
class _Task:
    phonons: Phonons
    displaced: DisplacedSupercell
    drawing: Drawing
    ensemble: Ensemble
    settings: SschaSettings

    def consistency(self, atoms: Atoms) -> Consistency:
        """Set up a cell."""
        symprec = self.phonons.record.settings.symprec
        energy = self.drawing.potential.evaluate([atoms])[0].energy
        with one_blas_thread():
            reference = Reference.of(atoms, self.displaced.matrix, symprec, energy)
            fitter = Fitter(reference.phonopy, self.settings.hessian_cutoff)
        return Consistency(reference, self.ensemble, self.settings, fitter)

    def at_pressure(
        self, first: Consistency, start: Trial, pressure: float
    ) -> tuple[Consistency, Solution]:
        """Strain the cell until the mean stress is the pressure."""
        record = self.phonons.record
        atoms, consistency, trial = first.reference.atoms, first, start
        search = CellSearch.of(atoms, self.drawing.potential, record.settings.symprec)
        before: tuple[np.ndarray, np.ndarray] | None = None
        steps: tuple[Step, ...] = ()
        for number in range(self.settings.max_cell_steps):
            solution = self.drawing.solve(consistency, trial, number)
            steps = (*steps, *solution.steps)
            residual = search.residual(solution.value.stress, pressure)
            is_there = self._is_there(search, solution, residual)
            if is_there or number + 1 == self.settings.max_cell_steps:
                break
            if before is not None:
                search.learn(*before, residual)
            step = search.step(residual)
            before, strain = (step, residual), search.strain(step)
            centroids = solution.found.trial.centroids @ (np.eye(3) + strain)
            trial = Trial(solution.found.trial.force_constants, centroids)
            atoms = strained(atoms, strain)
            consistency = self.consistency(atoms)
        converged = solution.converged and is_there
        return consistency, replace(solution, steps=steps, converged=converged)

    def _is_there(self, search: CellSearch, solution: Solution, residual: np.ndarray) -> bool:
        if solution.error is None:
            return False
        errors = np.sqrt(np.einsum("kab,ab->k", search.strains**2, solution.error.stress**2))
        limits = np.maximum(self.settings.stress_tolerance, 2 * errors)
        return bool((np.abs(residual) <= limits).all())

    def result(
        self, consistency: Consistency, solution: Solution, harmonic: np.ndarray
    ) -> SelfConsistent:
        """Put everything together."""
        reference, found = consistency.reference, solution.found
        atoms = reference.atoms.copy()
        atoms.positions += found.trial.centroids
        how = self._renormalisation(consistency, solution)
        constants = self.displaced.in_large(reference.phonopy, found.trial.force_constants)
        phonons = with_force_constants(self.phonons, atoms, constants, how, self.displaced.large)
        how = how.model_copy(
            update={"free_energy_eV": self._free_energy(consistency, solution, phonons)}
        )
        phonons = with_force_constants(self.phonons, atoms, constants, how, self.displaced.large)
        error = np.zeros_like(harmonic) if solution.error is None else solution.error.frequencies
        curvature, seen = None, None
        if self.settings.hessian:
            hessian = self._hessian(consistency, solution)
            carried = self.displaced.in_large(reference.phonopy, hessian)
            curvature = with_force_constants(
                self.phonons, atoms, carried, how, self.displaced.large
            )
            seen = reference.frequencies(hessian)
        history = History(
            settings=self.settings,
            steps=solution.steps,
            commensurate=Commensurate.of(
                reference, harmonic, solution.value.frequencies, error, seen
            ),
            n_atoms=len(reference.masses),
            n_evaluations=self.drawing.drawn * self.settings.snapshots,
        )
        return SelfConsistent(phonons, history, curvature)

    def _renormalisation(self, consistency: Consistency, solution: Solution) -> Renormalisation:
        reference, error, settings = consistency.reference, solution.error, self.settings
        # Without an error there is nothing better to say than how far the last step went.
        unknown = max(step.change_THz for step in solution.steps)
        rms = unknown if error is None else reference.rms(error.frequencies)
        return Renormalisation(
            method="sscha",
            temperature_K=self.ensemble.temperature,
            statistics=settings.statistics,
            n_atoms=len(reference.masses),
            n_snapshots=self.drawing.drawn * settings.snapshots,
            n_effective=solution.found.n_effective,
            iterations=self.drawing.drawn,
            converged=solution.converged,
            frequency_error_THz=unknown if error is None else float(error.frequencies.max()),
            mean_frequency_error_THz=rms,
            free_energy_error_eV=None if error is None else error.free_energy / reference.n_cells,
            centroid_shift_A=float(np.linalg.norm(solution.value.centroids, axis=1).max()),
            pressure_GPa=settings.pressure,
        )

    def _free_energy(self, consistency: Consistency, solution: Solution, phonons: Phonons) -> float:
        """Of a primitive cell, eV: harmonic part by the mesh instead of the supercell's waves."""
        reference = consistency.reference
        own = solution.found.density.free_energy()
        extra = (reference.energy + solution.value.free_energy - own) / reference.n_cells
        return extra + _mesh_free_energy(phonons, self.ensemble)

    def _hessian(self, consistency: Consistency, solution: Solution) -> np.ndarray:
        found, samples = solution.found, solution.samples
        density = found.density
        waiting = self.drawing.reporter.step("third-order force constants", None)
        with waiting, one_blas_thread():
            rest = samples.forces - density.forces_at(samples.moved)
            mean = consistency.reference.average(np.einsum("s,sia->ia", found.weights, rest))
            third = consistency.fitter.third_order(
                samples.moved - density.centre,
                rest - mean[consistency.reference.of_primitive],
                found.weights,
            )
            compact = free_energy_hessian(density, found.trial.force_constants, third)
            return full_force_constants(consistency.reference.phonopy, compact)


def _mesh_free_energy(phonons: Phonons, ensemble: Ensemble) -> float:
    """Harmonic free energy of a primitive cell on the mesh of the settings, eV.

    Modes that move the crystal as a whole have none, and imaginary ones are left out.
    """
    _, frequencies, weights = phonons.mesh
    real = frequencies > 1e-3
    each = np.zeros_like(frequencies)
    each[real] = ensemble.free_energy((frequencies[real] / THZ_OF_STIFFNESS) ** 2)
    return float(weights @ each.sum(axis=1) / weights.sum())
