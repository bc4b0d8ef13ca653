"""From a crystal to its phonons at a temperature: harmonic ones first, then a method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature
from mlphonon.anharmonic.at_temperature.settings import PhononsAtTemperatureSettings
from mlphonon.anharmonic.harmonic import HarmonicStart, harmonic_start
from mlphonon.anharmonic.sscha.settings import check_temperature

if TYPE_CHECKING:
    from mlphonon.reporter import Reporter


def compute_phonons_at_temperature(
    structure: Any,
    potential: Any = None,
    settings: PhononsAtTemperatureSettings | None = None,
    *,
    born: Any = None,
    device: str = "auto",
    allow_pickle: bool = False,
    reporter: Reporter | None = None,
    **changes: Any,
) -> PhononsAtTemperature:
    """Compute the phonons of a crystal at a temperature.

    Harmonic phonons are computed first. ``"sscha"`` then finds the Gaussian distribution of least
    free energy, quantum or classical (see `mlphonon.anharmonic.sscha.compute`); ``"effective"``
    fits force constants to snapshots of classical molecular dynamics.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal, path or Phonons
        The crystal, or its harmonic phonons, which are then not computed again.
    potential : str, path, ASE calculator or Potential, optional
        By default the embedded one for a structure, and for phonons that they were made with.
    settings : PhononsAtTemperatureSettings, optional
        Defaults otherwise.
    born, device, allow_pickle, reporter
        As `compute_phonons` takes them.
    **changes
        Settings that differ from `settings`, by name: ``temperature=600``, ``method="effective"``,
        ``phonons={"min_length": 20}``; other names are settings of the method: ``pressure=0``.

    Returns
    -------
    PhononsAtTemperature
        ``.phonons`` are the phonons at the temperature.

    Raises
    ------
    MlphononError
        If the crystal, a setting or the potential cannot be used.
    """
    chosen = PhononsAtTemperatureSettings.make(settings, **changes)
    check_temperature(chosen.temperature, chosen.of_method.statistics)
    start = harmonic_start(
        structure,
        potential,
        chosen.phonons,
        born=born,
        device=device,
        allow_pickle=allow_pickle,
        reporter=reporter,
    )
    return _renormalise(start, chosen)


def _renormalise(
    start: HarmonicStart, settings: PhononsAtTemperatureSettings
) -> PhononsAtTemperature:
    harmonic, potential = start.phonons, start.potential
    if settings.method == "effective":
        from mlphonon.anharmonic.effective.compute import effective_phonons

        found = effective_phonons(
            harmonic, potential, settings.temperature, settings.effective, start.reporter
        )
        return PhononsAtTemperature(found, harmonic)
    from mlphonon.anharmonic.sscha.compute import self_consistent_phonons

    result = self_consistent_phonons(
        harmonic, potential, settings.temperature, settings.sscha, start.reporter
    )
    return PhononsAtTemperature(result.phonons, harmonic, result.history, result.curvature)
