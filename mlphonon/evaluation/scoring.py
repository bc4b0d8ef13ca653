"""One crystal, one potential: its phonons beside DFT's, in numbers."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from mlphonon.crystal.crystal import Crystal, make_crystal, reduced_formula
from mlphonon.errors import MlphononError
from mlphonon.evaluation.bands import reference_points
from mlphonon.evaluation.heat import heat_errors
from mlphonon.evaluation.matching import PhononMatch, reordered
from mlphonon.evaluation.metrics.frequencies import (
    density_error,
    frequency_errors,
    spectrum_distance,
)
from mlphonon.evaluation.metrics.spectrum import Spectrum, harmonic_properties
from mlphonon.evaluation.metrics.stability import RULES, is_stable
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.record import Comparison, CrystalScore, Curves, Structure
from mlphonon.evaluation.references.reference import ReferenceCrystal
from mlphonon.phonons.phonons import Phonons
from mlphonon.potentials.potential import Potential
from mlphonon.properties.elasticity import Elasticity, UnstableWavesError
from mlphonon.trust.scale import rms_frequency
from mlphonon.units import CM_PER_THZ
from mlphonon.workflow import compute_phonons

if TYPE_CHECKING:
    from phonopy import Phonopy


PUBLISHED_AT = 300.0
"""K; the temperature of `ReferenceCrystal.properties`."""


def score_crystal(
    reference: ReferenceCrystal, potential: Potential, protocol: Protocol | None = None
) -> tuple[CrystalScore, Curves | None]:
    """Compute the phonons of one crystal and compare them with DFT.

    Parameters
    ----------
    reference : ReferenceCrystal
        What DFT says.
    potential : Potential
        What is judged.
    protocol : Protocol, optional
        How; the default otherwise.

    Returns
    -------
    score : CrystalScore
        With a reason in `failure` where the phonons could not be computed.
    curves : Curves, optional
        Those of the first structure of the protocol, where DFT gave a spectrum.
    """
    protocol = protocol or Protocol()
    begun = time.perf_counter()
    compared: dict[Structure, Comparison] = {}
    curves = None
    for structure in protocol.structures:
        try:
            matched = _compute(reference, potential, protocol, structure)
            found = compare(matched, protocol.temperature)
            if structure == protocol.structures[0]:
                curves = _curves(matched)
                if protocol.conductivity:
                    heat = heat_errors(matched, potential, protocol)
                    found = found.model_copy(update={"errors": found.errors | heat})
            compared[structure] = found
        except MlphononError as error:
            compared[structure] = Comparison(failure=str(error))
        # A set of thousands is not to end at one crystal; the reason stands in its row.
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            reason = f"unexpected {type(error).__name__}: {error}".partition("\n")[0]
            compared[structure] = Comparison(failure=reason)
    dft = reference.spectrum
    return (
        CrystalScore(
            key=reference.key,
            formula=reduced_formula(reference.atoms),
            elements=tuple(reference.atoms.symbols.formula.count()),
            relaxed=compared.get("relaxed"),
            dft=compared.get("dft"),
            stable_dft=verdicts(dft) if dft is not None else {},
            seconds=round(time.perf_counter() - begun, 2),
        ),
        curves,
    )


def compare(matched: PhononMatch, temperature: float = 300.0) -> Comparison:
    """Return every error that the reference allows.

    Parameters
    ----------
    matched : PhononMatch
        A potential's phonons and those of DFT.
    temperature : float
        Of the thermal properties, K.
    """
    reference, ours = matched.reference, matched.spectrum
    errors = {"volume_percent": 100 * matched.phonons.record.volume_change}
    if reference.spectrum is not None:
        errors |= _spectrum_errors(ours, reference)
    errors |= _thermal_errors(ours, reference, temperature)
    if reference.force_constants is not None:
        order = matched.band_order()
        errors["mae_by_eigenvector_THz"] = _mean_difference(
            reordered(ours, order), reference.spectrum
        )
    errors |= _elastic_errors(matched)
    return Comparison(
        errors={k: float(v) for k, v in errors.items()},
        stable=verdicts(ours),
        trust=matched.phonons.trust,
        rms_THz=rms_frequency(matched.phonons),
    )


def verdicts(spectrum: Spectrum) -> dict[str, bool]:
    """Say by each rule whether a crystal is stable.

    A density of states has no lowest mode, only tails; it is judged by the share alone.
    """
    rules = [rule for rule in RULES if rule == "share" or not spectrum.is_density]
    return {rule: is_stable(spectrum, rule) for rule in rules}


def _compute(
    reference: ReferenceCrystal, potential: Potential, protocol: Protocol, structure: Structure
) -> PhononMatch:
    matrix = reference.supercell_matrix
    given = matrix is not None and protocol.supercell == "reference"
    supercell = tuple(int(x) for x in np.asarray(matrix).ravel()) if given else None
    settings = protocol.settings(structure, supercell)
    crystal: Crystal = make_crystal(reference.atoms, protocol.symprec, reference.key)
    phonons: Phonons = compute_phonons(crystal, potential, settings)
    return PhononMatch(phonons, crystal, reference)


def _spectrum_errors(ours: Spectrum, reference: ReferenceCrystal) -> dict[str, float]:
    dft = reference.spectrum
    assert dft is not None
    distance = spectrum_distance(ours, dft)
    errors = {
        "spectrum_THz": distance,
        "spectrum_per_cm": distance * CM_PER_THZ,
        "density": density_error(ours, dft),
    }
    return errors if reference.qpoints is None else errors | asdict(frequency_errors(ours, dft))


def _thermal_errors(
    ours: Spectrum, reference: ReferenceCrystal, temperature: float
) -> dict[str, float]:
    """Errors per mole of atoms, and per mole of the cells that DFT's are given for."""
    # What was published as numbers is of one temperature.
    theirs = dict(reference.properties) if temperature == PUBLISHED_AT else {}
    n_atoms = len(reference.atoms)
    if reference.spectrum is not None:
        theirs |= asdict(harmonic_properties(reference.spectrum, temperature))
        n_atoms = round(n_atoms * abs(np.linalg.det(reference.primitive_matrix)))
    mine = asdict(harmonic_properties(ours, temperature))
    per_atom = {name: mine[name] - value for name, value in theirs.items()}
    return per_atom | {f"{name}_per_cell": n_atoms * v for name, v in per_atom.items()}


def _mean_difference(frequencies: np.ndarray, dft: Spectrum | None) -> float:
    assert dft is not None
    return float((dft.mode_weights * np.abs(frequencies - dft.frequencies)).sum())


def _elastic_errors(matched: PhononMatch) -> dict[str, float]:
    """Errors in the limit of long waves; none where a branch is unstable there."""
    reference = matched.reference
    if reference.force_constants is None and not reference.moduli:
        return {}
    ours = _elasticity(matched.phonons.phonopy)
    if ours is None:
        return {}
    mine = {"bulk_modulus": ours.bulk_modulus, "shear_modulus": ours.shear_modulus}
    theirs, errors = dict(reference.moduli), {}
    if reference.force_constants is not None:
        dft = _elasticity(reference.force_constants)
        if dft is None:
            return {}
        theirs |= {"bulk_modulus": dft.bulk_modulus, "shear_modulus": dft.shear_modulus}
        errors["velocity_percent"] = 100 * (ours.mean_velocity / dft.mean_velocity - 1)
    return errors | {f"{name}_GPa": mine[name] - value for name, value in theirs.items()}


def _elasticity(phonopy: Phonopy) -> Elasticity | None:
    try:
        return Elasticity.of_force_constants(phonopy)
    except UnstableWavesError:
        # The stability columns say so.
        return None


def _curves(matched: PhononMatch) -> Curves | None:
    dft = matched.reference.spectrum
    if dft is None:
        return None
    bands = matched.phonons.bands()
    return Curves(matched.spectrum, dft, bands, reference_points(matched, bands))
