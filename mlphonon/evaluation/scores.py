"""One crystal, one potential: its phonons beside DFT's, in numbers."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlphonon.crystal import Crystal, make_crystal
from mlphonon.errors import MlphononError
from mlphonon.evaluation.metrics import (
    Spectrum,
    StabilityRule,
    frequency_errors,
    harmonic_properties,
    is_stable,
)
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.reference import ReferenceCrystal
from mlphonon.phonons import Phonons
from mlphonon.potentials.potential import Potential
from mlphonon.workflow import compute_phonons

RULES: tuple[StabilityRule, ...] = ("threshold", "kelvin", "share")


class CrystalScore(BaseModel):
    """How right a potential is about one crystal.

    Attributes
    ----------
    key : str
        Its name in the reference set.
    failure : str, optional
        Why there are no numbers.
    errors : dict
        See `mlphonon.evaluation.metrics.FrequencyErrors`; and ``entropy``, ``heat_capacity``
        (J/K per mole of atoms) and ``free_energy`` (kJ per mole of atoms), potential minus DFT.
    stable, stable_dft : dict
        Verdicts by rule.
    volume_change : float, optional
        Relaxed volume relative to DFT's.
    frequencies : list, optional
        The potential's, THz, on the q-points of the reference.
    seconds : float
        Wall time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    failure: str | None = None
    errors: dict[str, float] = {}
    stable: dict[str, bool] = {}
    stable_dft: dict[str, bool] = {}
    volume_change: float | None = None
    frequencies: list[list[float]] | None = None
    seconds: float = 0.0


def score_crystal(
    reference: ReferenceCrystal, potential: Potential, protocol: Protocol | None = None
) -> CrystalScore:
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
    CrystalScore
        With a reason in `failure` where the phonons could not be computed.
    """
    protocol = protocol or Protocol()
    begun = time.perf_counter()
    supercell = tuple(int(x) for x in np.asarray(reference.supercell_matrix).ravel())
    try:
        crystal = make_crystal(reference.atoms, protocol.symprec, reference.key)
        phonons = compute_phonons(crystal, potential, protocol.settings(supercell))
    except MlphononError as error:
        return CrystalScore(
            key=reference.key, failure=str(error), seconds=round(time.perf_counter() - begun, 2)
        )
    ours = spectrum_on(phonons, crystal, reference)
    return CrystalScore(
        key=reference.key,
        errors=_errors(ours, reference.spectrum, protocol.temperature),
        stable={rule: is_stable(ours, rule) for rule in RULES},
        stable_dft={rule: is_stable(reference.spectrum, rule) for rule in RULES},
        volume_change=phonons.record.volume_change,
        frequencies=np.round(ours.frequencies, 6).tolist(),
        seconds=round(time.perf_counter() - begun, 2),
    )


def spectrum_on(phonons: Phonons, crystal: Crystal, reference: ReferenceCrystal) -> Spectrum:
    """Return a result's frequencies at the q-points of a reference.

    The rows of DFT's primitive cell are ``T`` times those of ours, rotated; a wave vector is
    the same where its products with the lattice vectors are, so ``q = T^-1 q_DFT``.
    """
    rows = np.asarray(reference.primitive_matrix).T @ crystal.given_matrix
    qpoints = np.linalg.solve(rows, reference.qpoints.T).T
    return Spectrum(phonons.frequencies(qpoints), reference.spectrum.weights)


def _errors(ours: Spectrum, dft: Spectrum, temperature: float) -> dict[str, float]:
    mine, theirs = (harmonic_properties(one, temperature) for one in (ours, dft))
    differences: dict[str, Any] = {
        name: value - asdict(theirs)[name] for name, value in asdict(mine).items()
    }
    return asdict(frequency_errors(ours, dft)) | differences
