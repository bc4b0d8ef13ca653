"""Temperatures mean the same wherever they are given."""

from __future__ import annotations

import numpy as np
import pytest

from mlphonon import (
    PhononSettings,
    TemperatureGrid,
    ThermalConductivitySettings,
    ThermalExpansionSettings,
)
from mlphonon.errors import SettingsError


@pytest.mark.parametrize(
    ("given", "text", "values"),
    [
        (300, "300", [300]),
        ("300", "300", [300]),
        ([100, 300.5], "100,300.5", [100, 300.5]),
        ("100, 300.5", "100,300.5", [100, 300.5]),
        (np.array([0.0, 10.0]), "0,10", [0, 10]),
        ("0:30:10", "0:30:10", [0, 10, 20, 30]),
        ("5:6:0.1", "5:6:0.1", np.linspace(5, 6, 11)),
        ("0:25:10", "0:25:10", [0, 10, 20]),
        ("300:300:1", "300:300:1", [300]),
        (TemperatureGrid("1,2"), "1,2", [1, 2]),
    ],
)
def test_forms(given: object, text: str, values: object) -> None:
    grid = TemperatureGrid.of(given)
    assert grid.text == text
    np.testing.assert_allclose(grid.values, values, atol=1e-12)


@pytest.mark.parametrize(
    "given", ["", [], "hot", "0:10", "0:10:0", "10:0:1", "-1:5:1", [-1], [float("nan")], "0:1e9:1"]
)
def test_what_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="temperatures"):
        TemperatureGrid.of(given)


@pytest.mark.parametrize(
    "kind", [PhononSettings, ThermalExpansionSettings, ThermalConductivitySettings]
)
def test_three_numbers_are_never_a_range(kind: type) -> None:
    """What meant a range in one place and three temperatures in another."""
    with pytest.raises(SettingsError, match="the range is written '100:1000:10'"):
        kind.make(temperatures=(100, 1000, 10))
    np.testing.assert_array_equal(
        kind.make(temperatures=(100, 200, 1000)).temperatures.values, [100, 200, 1000]
    )


def test_settings_hold_them_as_text_in_json() -> None:
    settings = PhononSettings.make(temperatures=[100, 300])
    assert '"temperatures":"100,300"' in settings.model_dump_json()
    assert PhononSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("asked", "step", "last"),
    [("0:1000:10", 10, 1000), ("100:1000:100", 10, 1000), ("300", 10, 300), ("0:20:2", 2, 20)],
)
def test_slopes_of_an_expansion_are_taken_on_a_fine_grid(
    asked: str, step: float, last: float
) -> None:
    settings = ThermalExpansionSettings.make(temperatures=asked)
    fine = settings.fine_grid()
    assert fine[0] == 0 and fine[-1] == pytest.approx(last)
    np.testing.assert_allclose(np.diff(fine), step)
    for temperature in settings.temperatures.values:
        assert np.abs(fine - temperature).min() < 1e-9
