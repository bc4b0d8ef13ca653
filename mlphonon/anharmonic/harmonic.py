"""What every method beyond the harmonic crystal begins with: harmonic phonons, a potential."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlphonon.crystal.crystal import Crystal, make_crystal
from mlphonon.errors import SettingsError
from mlphonon.force_constants.born import read_born
from mlphonon.phonons.phonons import Phonons
from mlphonon.potentials.several import refuse_several
from mlphonon.reporter import Reporter, Silent
from mlphonon.settings import PhononSettings
from mlphonon.workflow import DEFAULT_POTENTIAL, compute_phonons, potential_of, take_crystal

if TYPE_CHECKING:
    from mlphonon.potentials.potential import Potential


@dataclass(frozen=True)
class HarmonicStart:
    """Harmonic phonons, the potential that made them, and who is told what goes on.

    Attributes
    ----------
    phonons : Phonons
        At the minimum of the potential.
    potential : Potential
        Ready to evaluate.
    reporter : Reporter
        Is told what is being done.
    crystal : Crystal
        What a supercell in the settings of a method refers to.
    """

    phonons: Phonons
    potential: Potential
    reporter: Reporter
    crystal: Crystal


def harmonic_start(
    structure: Any,
    potential: Any,
    settings: PhononSettings,
    *,
    born: Any = None,
    device: str = "auto",
    allow_pickle: bool = False,
    reporter: Reporter | None = None,
) -> HarmonicStart:
    """Compute harmonic phonons, or take those that are given.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal, path or Phonons
        Of phonons nothing is computed again.
    potential : str, path, ASE calculator or Potential, optional
        One. By default the embedded one for a structure, and for phonons that they were made with.
    settings : PhononSettings
        Of the harmonic phonons; those of given phonons are their own.
    born : path, (charges, dielectric) or BornCharges, optional
        Replaces those of given phonons.
    device, allow_pickle, reporter
        As `compute_phonons` takes them.

    Raises
    ------
    MlphononError
        If the crystal, a setting or the potential cannot be used.
    """
    from mlphonon.potentials.loading import load_potential

    refuse_several(potential)
    reporter = reporter or Silent()
    if isinstance(structure, Phonons):
        _refuse_other_settings(structure, settings)
        with reporter.step("loading the potential", None):
            engine = potential_of(structure, potential, device=device, allow_pickle=allow_pickle)
        phonons = structure if born is None else with_born_charges(structure, born)
        return HarmonicStart(phonons, engine, reporter, make_crystal(phonons.atoms))
    crystal = take_crystal(structure, settings.symprec)
    with reporter.step("loading the potential", None):
        chosen = DEFAULT_POTENTIAL if potential is None else potential
        engine = load_potential(chosen, device=device, allow_pickle=allow_pickle)
    phonons = compute_phonons(crystal, engine, settings, born=born, reporter=reporter)
    return HarmonicStart(phonons, engine, reporter, crystal)


def _refuse_other_settings(phonons: Phonons, settings: PhononSettings) -> None:
    """Raise if settings were given that given phonons do not have: they would be ignored."""
    if settings not in (PhononSettings(), phonons.record.settings):
        raise SettingsError(
            "settings of the harmonic phonons were given, and phonons that have their own",
            fix="leave out one of the two",
        )


def with_born_charges(phonons: Phonons, born: Any) -> Phonons:
    """Return the same phonons with Born charges, for the non-analytical term.

    Parameters
    ----------
    phonons : Phonons
        Harmonic.
    born : path, (charges, dielectric) or BornCharges
        Of the primitive cell of the phonons.

    Raises
    ------
    CrystalError
        If they do not fit the crystal.
    """
    settings, phonopy = phonons.record.settings, phonons.phonopy
    source = Path(born) if isinstance(born, str | Path) else born
    crystal = make_crystal(phonons.atoms, settings.symprec, phonons.record.name)
    charges = read_born(source, crystal, settings.symprec)
    phonopy.nac_params = charges.nac_params(settings.nac_method)
    notes = (*phonons.record.notes, *charges.notes)
    record = phonons.record.model_copy(update={"born_charges": True, "notes": notes})
    return Phonons(phonopy, record)
