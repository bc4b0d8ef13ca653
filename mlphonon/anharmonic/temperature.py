"""From a crystal to its phonons at a temperature: harmonic ones first, then a method."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from mlphonon.checked_settings import checked_settings
from mlphonon.errors import SettingsError
from mlphonon.settings import PhononSettings, make_settings

if TYPE_CHECKING:
    from mlphonon.anharmonic.at_temperature import PhononsAtTemperature
    from mlphonon.workflow import Reporter

TemperatureMethod = Literal["sscha", "effective"]


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
    free energy, quantum or classical (see `mlphonon.anharmonic.sscha.solve`); ``"effective"`` fits
    force constants to snapshots of classical molecular dynamics.

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
    from mlphonon.anharmonic.at_temperature import PhononsAtTemperature
    from mlphonon.anharmonic.sscha.solve import check_temperature, self_consistent_phonons
    from mlphonon.potentials.loading import load_potential
    from mlphonon.workflow import Silent, compute_phonons

    chosen = method_settings(method, settings, **changes)
    reporter = reporter or Silent()
    if method == "sscha":
        check_temperature(temperature, chosen)
    engine, first = load_potential(potential), harmonic or make_settings()
    start = compute_phonons(structure, engine, first, born=born, reporter=reporter)
    if method == "effective":
        effective = import_module("mlphonon.anharmonic.effective")
        found = effective.effective_phonons(start, engine, temperature, chosen, reporter)
        return PhononsAtTemperature(found, start)
    result = self_consistent_phonons(start, engine, temperature, chosen, reporter)
    return PhononsAtTemperature(result.phonons, start, result.history, result.curvature)


def method_settings(method: str, base: BaseModel | None = None, **changes: Any) -> Any:
    """Return the settings of a method, `base` or its defaults, with `changes`.

    Raises
    ------
    SettingsError
        If the method or a setting is unknown, or a value cannot be used.
    """
    kind = _settings_of(method)
    if base is not None and not isinstance(base, kind):
        raise SettingsError(
            f"settings of method '{method}' must be {kind.__name__}, not {type(base).__name__}"
        )
    values = {} if base is None else base.model_dump()
    return checked_settings(kind, values | changes, f"method '{method}'")


_SETTINGS = {
    "sscha": ("mlphonon.anharmonic.sscha.settings", "SschaSettings"),
    "effective": ("mlphonon.anharmonic.effective", "EffectiveSettings"),
}
"""Where the settings of each method are."""


def _settings_of(method: str) -> type[BaseModel]:
    if method not in _SETTINGS:
        raise SettingsError(f"there is no method '{method}'", fix="take sscha or effective")
    home, name = _SETTINGS[method]
    kind: type[BaseModel] = getattr(import_module(home), name)
    return kind
