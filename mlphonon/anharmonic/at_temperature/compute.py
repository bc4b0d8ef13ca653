"""From a crystal to its phonons at a temperature: harmonic ones first, then a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from mlphonon.anharmonic.effective.settings import EffectiveSettings
from mlphonon.anharmonic.sscha.settings import SschaSettings, check_temperature
from mlphonon.errors import SettingsError
from mlphonon.settings import PhononSettings, make_settings
from mlphonon.settings_base import checked_settings

if TYPE_CHECKING:
    from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.potentials.potential import Potential
    from mlphonon.reporter import Reporter

TemperatureMethod = Literal["sscha", "effective"]

SETTINGS: Mapping[str, type[BaseModel]] = {
    "sscha": SschaSettings,
    "effective": EffectiveSettings,
}
"""Of each method."""


def renormalised_phonons(
    structure: Any,
    potential: Any = "embedded",
    temperature: float = 300.0,
    method: TemperatureMethod = "sscha",
    settings: BaseModel | None = None,
    *,
    harmonic: PhononSettings | None = None,
    born: Any = None,
    reporter: Reporter | None = None,
    **changes: Any,
) -> PhononsAtTemperature:
    """Compute the phonons of a crystal at a temperature.

    Harmonic phonons are computed first. ``"sscha"`` then finds the Gaussian distribution of least
    free energy, quantum or classical (see `mlphonon.anharmonic.sscha.compute`); ``"effective"``
    fits force constants to snapshots of classical molecular dynamics.

    Parameters
    ----------
    structure : Atoms, pymatgen Structure, Crystal or path
        The crystal.
    potential : str, path, ASE calculator or Potential
        A name of the catalogue, a file or folder of weights, or an object.
    temperature : float
        K.
    method : {"sscha", "effective"}
        How.
    settings : SschaSettings or EffectiveSettings, optional
        Of the method; defaults otherwise.
    harmonic : PhononSettings, optional
        Of the harmonic phonons. What temperature changes is found in a supercell of its own, by
        default the smallest that is 10 A high, and added to their force constants.
    born : path or (charges, dielectric), optional
        Born effective charges for the non-analytical term.
    reporter : Reporter, optional
        Is told what is being done.
    **changes
        Settings of the method that differ from `settings`, by name, e.g. ``pressure=0``.

    Returns
    -------
    PhononsAtTemperature
        ``.phonons`` are the phonons at the temperature.

    Raises
    ------
    MlphononError
        If the crystal, a setting or the potential cannot be used.
    """
    from mlphonon.potentials.loading import load_potential
    from mlphonon.reporter import Silent
    from mlphonon.workflow import compute_phonons

    chosen = method_settings(method, settings, **changes)
    check_temperature(temperature, chosen.statistics)
    reporter = reporter or Silent()
    engine, first = load_potential(potential), harmonic or make_settings()
    start = compute_phonons(structure, engine, first, born=born, reporter=reporter)
    return renormalise(start, engine, temperature, method, chosen, reporter)


def renormalise(
    harmonic: Phonons,
    potential: Potential,
    temperature: float,
    method: TemperatureMethod,
    settings: Any,
    reporter: Reporter,
) -> PhononsAtTemperature:
    """Find what a temperature makes of harmonic phonons; `potential` is that they were made with.

    `settings` are those that `method_settings` returns.
    """
    from mlphonon.anharmonic.at_temperature.result import PhononsAtTemperature

    if method == "effective":
        from mlphonon.anharmonic.effective.compute import effective_phonons

        found = effective_phonons(harmonic, potential, temperature, settings, reporter)
        return PhononsAtTemperature(found, harmonic)
    from mlphonon.anharmonic.sscha.compute import self_consistent_phonons

    result = self_consistent_phonons(harmonic, potential, temperature, settings, reporter)
    return PhononsAtTemperature(result.phonons, harmonic, result.history, result.curvature)


def method_settings(method: str, base: BaseModel | None = None, **changes: Any) -> Any:
    """Return the settings of a method, `base` or its defaults, with `changes`.

    Raises
    ------
    SettingsError
        If the method or a setting is unknown, or a value cannot be used.
    """
    kind = SETTINGS.get(method)
    if kind is None:
        raise SettingsError(f"there is no method '{method}'", fix=f"take {' or '.join(SETTINGS)}")
    if base is not None and not isinstance(base, kind):
        raise SettingsError(
            f"settings of method '{method}' must be {kind.__name__}, not {type(base).__name__}"
        )
    values = {} if base is None else base.model_dump()
    return checked_settings(kind, values | changes, f"method '{method}'")
