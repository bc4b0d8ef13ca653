"""From a crystal to its phonons: the steps in order, with provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.crystal.crystal import Crystal, make_crystal, read_crystal
from mlphonon.errors import PotentialError
from mlphonon.force_constants.born import BornCharges, read_born
from mlphonon.reporter import LabelledReporter, Reporter, Silent, Stopwatch
from mlphonon.settings import PhononSettings

if TYPE_CHECKING:
    from ase import Atoms

    from mlphonon.force_constants import ForceConstants
    from mlphonon.force_constants.supercell_series import SupercellStep
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.relaxation import Relaxation

DEFAULT_POTENTIAL = "embedded"
"""Ships inside: every command runs without a download."""


def compute_phonons(
    structure: Any,
    potential: Any = None,
    settings: PhononSettings | None = None,
    *,
    born: Any = None,
    device: str = "auto",
    allow_pickle: bool = False,
    reporter: Reporter | None = None,
    **changes: Any,
) -> Phonons:
    """Compute the phonons of a crystal.

    The crystal is standardised to its primitive cell, relaxed with the potential, expanded
    to a supercell, displaced, and solved for its force constants.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal, str or Path
        The crystal; a path is read with ASE and must hold one structure.
    potential : str, path, ASE calculator or Potential, or list of these, optional
        A name of the catalogue, a file or folder of weights, or an object; the embedded potential
        by default. Of several the result is that of the first, and ``phonons.committee`` says how
        far they disagree: each relaxes the crystal to its own minimum, and all take the supercell
        of the first.
    settings : PhononSettings, optional
        The protocol; defaults otherwise.
    born : path, (charges, dielectric) or BornCharges, optional
        Born effective charges for the non-analytical term (see
        `mlphonon.force_constants.born.read_born`).
    device : {"auto", "cpu", "cuda"}
        Where a potential that is loaded by name or file runs.
    allow_pickle : bool
        Allow a pickled model file that nothing vouches for. It can run any code.
    reporter : Reporter, optional
        Is told what is being done.
    **changes
        Settings that differ from `settings`, by name, e.g. ``min_length=20``.

    Returns
    -------
    Phonons

    Raises
    ------
    MlphononError
        If the crystal, a setting or the potential cannot be used, or the relaxation does
        not converge. The message says what to do, and, of several potentials, names the one.
    """
    from mlphonon.potentials.loading import load_potential
    from mlphonon.potentials.several import load_each

    chosen = PhononSettings.make(settings, **changes)
    reporter = reporter or Silent()
    watch = Stopwatch.start()
    crystal = take_crystal(structure, chosen.symprec)
    watch.lap("crystal")
    with reporter.step("loading the potential", None):
        load = partial(load_potential, device=device, allow_pickle=allow_pickle)
        engines = load_each(DEFAULT_POTENTIAL if potential is None else potential, load)
    watch.lap("potential")
    # Read before the long work, so that a wrong file is found at once.
    charges = None if born is None else read_born(_path_or_arrays(born), crystal, chosen.symprec)
    if charges is not None:
        crystal = replace(crystal, notes=(*crystal.notes, *charges.notes))
    for note in crystal.notes:
        reporter.say(f"{crystal.name}: {note}")
    first = _Calculation(crystal, engines[0], chosen, charges, reporter, watch)
    return first.run() if len(engines) == 1 else _compute_committee(first, engines)


def compute_in_supercell(
    crystal: Crystal,
    potential: Potential,
    settings: PhononSettings,
    matrix: np.ndarray,
    born: BornCharges | None = None,
    reporter: Reporter | None = None,
) -> Phonons:
    """Compute the phonons of a crystal as `compute_phonons`, in a supercell that must be.

    Parameters
    ----------
    crystal : Crystal
        Its `atoms` may be strained.
    potential : Potential
        Ready to evaluate.
    settings : PhononSettings
        All but the supercell.
    matrix : ndarray of int, shape (3, 3)
        In phonopy's convention, relative to the primitive cell.
    born : BornCharges, optional
        Of the primitive cell.
    reporter : Reporter, optional
        Is told what is being done.
    """
    watch = Stopwatch.start()
    reporter = reporter or Silent()
    return _Calculation(crystal, potential, settings, born, reporter, watch, matrix).run()


def take_crystal(structure: Any, symprec: float) -> Crystal:
    """Read or check a structure, as `compute_phonons` takes it."""
    if isinstance(structure, str | Path):
        return read_crystal(Path(structure), symprec)
    return make_crystal(structure, symprec)


def potential_of(
    phonons: Phonons, potential: Any = None, *, device: str = "auto", allow_pickle: bool = False
) -> Potential:
    """Load the potential that phonons were made with.

    Parameters
    ----------
    phonons : Phonons
        Whose record names it.
    potential : str, path, ASE calculator or Potential, optional
        The one, where it cannot be loaded by its name.
    device : {"auto", "cpu", "cuda"}
        Where a potential that is loaded by name or file runs.
    allow_pickle : bool
        Allow a pickled model file that nothing vouches for. It can run any code.

    Raises
    ------
    PotentialError
        If there is none of its name, or its weights are others than those of the phonons.
    """
    from mlphonon.potentials.loading import load_potential, reload

    made_with = phonons.record.potential
    if potential is None:
        return reload(made_with, device=device, allow_pickle=allow_pickle)
    found = load_potential(potential, device=device, allow_pickle=allow_pickle)
    for what in ("sha256", "head"):
        before, now = made_with.get(what), found.info.as_dict().get(what)
        if None not in (before, now) and before != now:
            raise PotentialError(
                f"potential '{found.info.name}' is not the one of the phonons",
                f"its {what} is {str(now)[:12]}, theirs {str(before)[:12]}",
                "give the potential that they were made with, or compute them again",
            )
    return found


def _compute_committee(first: _Calculation, potentials: Sequence[Potential]) -> Phonons:
    """Compute one potential after the other; the supercell is that of the first."""
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.several import distinct_names, naming

    names = distinct_names([potential.info.name for potential in potentials])
    for name, potential in zip(names, potentials, strict=True):
        # Before the long work of the first, not after it.
        with naming(name):
            check_potential(potential, first.crystal, first.settings)
    members: list[Phonons] = []
    for name, potential in zip(names, potentials, strict=True):
        label = f"{name}, {len(members) + 1} of {len(names)}"
        calculation = replace(
            first,
            potential=potential,
            reporter=LabelledReporter(first.reporter, label),
            matrix=members[0].phonopy.supercell_matrix if members else None,
            watch=Stopwatch.start() if members else first.watch,
        )
        with naming(name):
            members.append(calculation.run())
    return Phonons(members[0].phonopy, members[0].record, tuple(members[1:]))


def check_potential(potential: Potential, crystal: Crystal, settings: PhononSettings) -> None:
    """Raise `PotentialError` if a potential cannot make phonons of a crystal by these settings."""
    from mlphonon.force_constants.planning import check_method
    from mlphonon.potentials.potential import check_conservative, check_elements

    check_elements(potential.info, [crystal.atoms])
    check_conservative(potential.info, settings.allow_nonconservative)
    check_method(potential.info, settings)


@dataclass(frozen=True)
class _Calculation:
    """All that the phonons of one crystal by one potential are made of."""

    crystal: Crystal
    potential: Potential
    settings: PhononSettings
    charges: BornCharges | None
    reporter: Reporter
    watch: Stopwatch
    matrix: np.ndarray | None = None
    """A supercell that must be."""

    def run(self) -> Phonons:
        """Relax, solve, look at the result."""
        from mlphonon.crystal.supercell import choose_supercell
        from mlphonon.phonons.phonons import Phonons
        from mlphonon.relaxation import relax
        from mlphonon.trust.evidence import measure_evidence

        crystal, potential, settings, watch = (
            self.crystal,
            self.potential,
            self.settings,
            self.watch,
        )
        check_potential(potential, crystal, settings)
        if settings.supercell != "converged" and self.matrix is None:
            # Refuses an impossible one before the relaxation; the cell may change it slightly.
            choose_supercell(crystal, crystal.atoms, settings)
        with self.reporter.step(f"relaxing {crystal.name}", None) as count:
            relaxation = relax(crystal, potential, settings, lambda _step, _left: count(1))
        watch.lap("relaxation")
        solver = _Solver(
            crystal, relaxation.atoms, potential, settings, self.reporter, watch, self.matrix
        )
        constants, series = solver.solve_as_asked()
        evidence = measure_evidence(crystal, relaxation.atoms, constants, potential, settings)
        watch.lap("evidence")
        if self.charges is not None:
            constants.phonopy.nac_params = self.charges.nac_params(settings.nac_method)
        record = _make_record(crystal, potential, settings, relaxation, constants, watch)
        if settings.trust == "full" and not series:
            change = solver.change_in_larger(constants)
            evidence = evidence.model_copy(update={"larger_supercell_THz": change})
            watch.lap("larger supercell")
        found = {"supercell_series": series, "evidence": evidence}
        return Phonons(constants.phonopy, record.model_copy(update=found))


@dataclass(frozen=True)
class _Solver:
    """From supercells of a relaxed crystal to force constants."""

    crystal: Crystal
    atoms: Atoms
    potential: Potential
    settings: PhononSettings
    reporter: Reporter
    watch: Stopwatch
    matrix: np.ndarray | None
    """A supercell that must be."""

    def solve_as_asked(self) -> tuple[ForceConstants, tuple[SupercellStep, ...]]:
        """Force constants, and the series of supercells if it was grown."""
        from mlphonon.force_constants.supercell_series import grow_supercell

        if self.matrix is not None:
            return self._solve(self.matrix), ()
        if self.settings.supercell == "converged":
            return grow_supercell(self._choose, self._solve, self.settings.tolerance)
        return self._solve(self._choose(self.settings.min_length)), ()

    def change_in_larger(self, constants: ForceConstants) -> float | None:
        """Mean change of frequencies in the next larger supercell, THz; None if too large."""
        from mlphonon.crystal.supercell import perpendicular_heights
        from mlphonon.errors import SettingsError
        from mlphonon.force_constants.supercell_series import GROWTH, frequency_changes

        height = float(perpendicular_heights(constants.phonopy.supercell.cell).min())
        free = self.settings.model_copy(update={"supercell": "auto"})
        try:
            matrix = replace(self, settings=free)._choose(GROWTH * height)
        except SettingsError as error:
            self.reporter.say(f"{self.crystal.name}: no larger supercell was solved; {error}")
            return None
        return float(frequency_changes(constants.phonopy, self._solve(matrix).phonopy).mean())

    def _solve(self, matrix: np.ndarray) -> ForceConstants:
        from mlphonon.force_constants.planning import plan_force_constants
        from mlphonon.system.threads import one_blas_thread

        crystal, potential, reporter = self.crystal, self.potential, self.reporter
        with one_blas_thread():
            plan = plan_force_constants(self.atoms, matrix, potential, self.settings)
        reporter.say(lambda: f"{crystal.name}: {crystal.spacegroup}, {plan.describe(potential)}")
        self.watch.lap("displacements")
        with reporter.step(f"forces of {crystal.name}", plan.n_evaluations + 1) as count:
            constants = plan.compute(potential, count)
        self.watch.lap("forces")
        return constants

    def _choose(self, height: float) -> np.ndarray:
        from mlphonon.crystal.supercell import choose_supercell

        changed = self.settings.model_copy(update={"min_length": height})
        return choose_supercell(self.crystal, self.atoms, changed)


def _path_or_arrays(born: Any) -> Any:
    if isinstance(born, BornCharges):
        return born
    return Path(born) if isinstance(born, str | Path) else tuple(born)


def _make_record(
    crystal: Crystal,
    potential: Potential,
    settings: PhononSettings,
    relaxation: Relaxation,
    constants: ForceConstants,
    watch: Stopwatch,
) -> Any:
    from mlphonon.crystal.supercell import perpendicular_heights
    from mlphonon.force_constants.truncation import estimate_truncation
    from mlphonon.phonons.record import Record, package_versions

    phonopy = constants.phonopy
    stress = relaxation.stress_max
    h1, h2, h3 = (float(h) for h in perpendicular_heights(phonopy.supercell.cell))
    return Record(
        name=crystal.name,
        formula=crystal.formula,
        spacegroup=crystal.spacegroup,
        n_atoms_primitive=len(crystal.atoms),
        notes=crystal.notes,
        structure_sha256=crystal.structure_hash(),
        potential=potential.info.as_dict(),
        settings=settings,
        settings_sha256=settings.digest(),
        relaxed=settings.relax,
        relaxation_converged=relaxation.converged,
        relaxation_steps=relaxation.steps,
        residual_force_eV_per_A=relaxation.fmax,
        residual_stress_GPa=stress if np.isfinite(stress) else None,
        energy_eV_per_atom=relaxation.energy,
        volume_change=relaxation.volume_change,
        supercell_matrix=tuple(
            (int(a), int(b), int(c)) for a, b, c in np.asarray(phonopy.supercell_matrix)
        ),
        n_atoms_supercell=len(phonopy.supercell),
        supercell_heights_A=(h1, h2, h3),
        method=constants.method,
        method_reason=constants.reason,
        method_dtype=constants.dtype,
        n_coefficients=constants.n_coefficients,
        displacement_A=constants.displacement,
        n_displacements=constants.n_displacements,
        raw_force_constants=constants.residuals,
        truncation_THz=estimate_truncation(phonopy),
        born_charges=phonopy.nac_params is not None,
        versions=package_versions(),
        seconds=dict(watch.seconds),
    )
