"""Draw, evaluate, make consistent; draw again until errors and changes are small."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.sscha.gaussian import CAUTIOUS, MELTED
from mlphonon.anharmonic.sscha.history import Step
from mlphonon.anharmonic.sscha.iterate import (
    Consistency,
    Estimate,
    SampledDensity,
    Trial,
    estimate,
    standard_errors,
)
from mlphonon.anharmonic.sscha.samples import Population, Samples

if TYPE_CHECKING:
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter


@dataclass(frozen=True)
class Solution:
    """The consistent state of one cell.

    Attributes
    ----------
    found : SampledDensity
        Force constants, mean places, distribution.
    samples : Samples
        All that were evaluated.
    value, error : Estimate
        Numbers, and their standard errors (None where nothing settled).
    steps : tuple of Step
        How it went.
    converged : bool
        Whether the last change was within the errors, or below the tolerance.
    """

    found: SampledDensity
    samples: Samples
    value: Estimate
    error: Estimate | None
    steps: tuple[Step, ...]
    converged: bool


@dataclass
class Drawing:
    """Solves one cell after another; counts what it draws.

    Attributes
    ----------
    potential : Potential
        Evaluates displaced supercells.
    reporter : Reporter
        Is told.
    name : str
        Of the crystal.
    drawn : int
        Populations so far, in all cells: each has random numbers of its own.
    """

    potential: Potential
    reporter: Reporter
    name: str
    drawn: int = field(default=0)

    def solve(self, consistency: Consistency, start: Trial, cell: int = 0) -> Solution:
        """Find the consistent state of one cell."""
        settings = consistency.settings
        samples, trial, steps = Samples(()), start, []
        before: np.ndarray | None = None
        converged = False
        for number in range(settings.max_populations):
            population = self._draw(consistency, trial, number)
            samples = samples.and_also(population) if settings.reweight else Samples((population,))
            found = consistency.find(samples, trial)
            value = estimate(samples, found)
            error = standard_errors(consistency, samples, found) if found.settled else None
            step = self._step(consistency, (samples, found, value, error), before, cell)
            steps.append(step)
            self.reporter.say(_tell(self.name, step))
            trial, known = found.trial, before is not None
            before = found.frequencies if found.settled else None
            if error is None or step.error_THz is None:
                continue
            converged = known and step.change_THz <= max(settings.tolerance, 2 * step.error_THz)
            if converged and step.error_THz <= settings.tolerance:
                break
        return Solution(found, samples, value, error, tuple(steps), converged)

    def _draw(self, consistency: Consistency, trial: Trial, number: int) -> Population:
        settings = consistency.settings
        seed = np.random.SeedSequence([settings.seed, self.drawn]).generate_state(1)[0]
        self.drawn += 1
        what = f"forces of {self.name}, population {number + 1}"
        with self.reporter.step(what, settings.snapshots) as count:
            farthest = CAUTIOUS if self.drawn == 1 else MELTED
            density = consistency.density(trial, farthest)
            return Population.draw(density, self.potential, settings.snapshots, int(seed), count)

    def _step(
        self,
        consistency: Consistency,
        state: tuple[Samples, SampledDensity, Estimate, Estimate | None],
        before: np.ndarray | None,
        cell: int,
    ) -> Step:
        samples, found, value, error = state
        reference = consistency.reference
        has_stress = bool(np.isfinite(value.stress).all())
        since = value.frequencies - (value.frequencies if before is None else before)
        return Step(
            cell=cell,
            n_snapshots=samples.number,
            n_effective=found.n_effective,
            settled=found.settled,
            change_THz=reference.rms(since),
            error_THz=None if error is None else reference.rms(error.frequencies),
            lowest_frequency_THz=float(found.frequencies.min()),
            highest_frequency_THz=float(found.frequencies.max()),
            free_energy_eV=value.free_energy / reference.n_cells,
            free_energy_error_eV=None if error is None else error.free_energy / reference.n_cells,
            centroid_shift_A=float(np.linalg.norm(value.centroids, axis=1).max()),
            pressure_GPa=value.pressure if has_stress else None,
            pressure_error_GPa=error.pressure if has_stress and error is not None else None,
            volume_A3=reference.atoms.get_volume(),
        )


def _tell(name: str, step: Step) -> str:
    """Say where it stands after a population."""
    worth = f"{name}: {step.n_snapshots} supercells, worth {step.n_effective:.0f}"
    if step.error_THz is None:
        return f"{worth}; not consistent yet"
    return f"{worth}; frequencies \N{PLUS-MINUS SIGN} {step.error_THz:.2g} THz"
