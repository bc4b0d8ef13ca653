"""Thermal expansion: models whose answer is known, and phonopy's own program on DFT."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mlphonon import (
    Phonons,
    ThermalExpansion,
    ThermalExpansionSettings,
    compute_phonons,
    compute_thermal_expansion,
)
from mlphonon.anharmonic.strained import strained_phonons
from mlphonon.errors import CrystalError, ResultError, SettingsError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.settings import PhononSettings
from tests.helpers.crystals import wurtzite
from tests.helpers.growing_springs import CUBIC, K_B, QUICK, TO_EV, GrowingSprings
from tests.helpers.programs import run_program
from tests.helpers.springs import NetworkSprings


def modes(phonons: Phonons) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies at rest and weights, without the three of the crystal as a whole."""
    frequencies = np.where(phonons.mesh[1] < 1e-3, np.nan, phonons.mesh[1])
    kept = ~np.isnan(frequencies).any(axis=1)
    assert (~kept).sum() == 1
    return frequencies[kept], phonons.mesh[2][kept].astype(float)


@pytest.fixture(scope="module")
def cubic() -> Phonons:
    return compute_phonons(CUBIC.crystal(), AsePotential(CUBIC), QUICK)


@pytest.fixture(scope="module")
def expanded(cubic: Phonons) -> ThermalExpansion:
    settings = ThermalExpansionSettings.make(temperatures="0:800:10")
    return compute_thermal_expansion(cubic, AsePotential(CUBIC), settings)


def test_volumes_are_where_the_free_energy_is_least(
    cubic: Phonons, expanded: ThermalExpansion
) -> None:
    for temperature in (0.0, 100.0, 300.0, 800.0):
        exact = CUBIC.equilibrium(temperature, modes(cubic), [[0, 1, 2]])
        volume = 27.0 * np.exp(exact.sum())
        found = expanded.at(temperature)["volume_A3"]
        # Of the growth itself, which is what is computed.
        assert found - 27.0 == pytest.approx(volume - 27.0, rel=5e-3)


def test_grueneisen_of_the_whole_is_that_of_every_mode(expanded: ThermalExpansion) -> None:
    """Gamma = alpha B V / C_V, with volumes, slopes and moduli of the same fit."""
    warm = expanded.temperatures > 150
    # 1.8 for each axis, which is a third of the volume.
    np.testing.assert_allclose(expanded.gruneisen[warm], 1.8, rtol=0.01)


def test_heat_capacity_at_constant_pressure(cubic: Phonons, expanded: ThermalExpansion) -> None:
    """C_P = C_V (1 + alpha gamma T), C_V of the modes at the volume of that temperature."""
    frequencies, weights = modes(cubic)
    for temperature in (200.0, 800.0):
        at = expanded.at(temperature)
        softer = (27.0 / at["volume_A3"]) ** 1.8
        x = TO_EV * softer * frequencies / (K_B * temperature) / 2
        modal = ((x / np.sinh(x)) ** 2).sum(axis=1)
        heat = 8.314462618 * float(weights @ modal) / weights.sum()
        expected = heat * (1 + 1e-6 * at["expansion_1e-6_per_K"] * 1.8 * temperature)
        assert at["C_P_J_per_K_mol_atoms"] == pytest.approx(expected, rel=4e-3)


def test_pressure(cubic: Phonons) -> None:
    settings = ThermalExpansionSettings.make(temperatures="0:300:10", pressure=1.0)
    pressed = compute_thermal_expansion(cubic, AsePotential(CUBIC), settings)
    exact = CUBIC.equilibrium(200.0, modes(cubic), [[0, 1, 2]], pressure=1.0)
    volume = pressed.at(200.0)["volume_A3"]
    assert volume < 26.95
    assert volume - 27.0 == pytest.approx(27.0 * np.exp(exact.sum()) - 27.0, rel=5e-3)


def test_axes_that_are_free_go_where_the_free_energy_is_least() -> None:
    """Tetragonal; softening is along one axis alone, so shapes at rest would be wrong."""
    stiffness = np.array([[30, 8, 4], [8, 30, 4], [4, 4, 20.0]])
    model = GrowingSprings([3.0, 3.0, 3.6], [0.4, 0.4, 2.5], stiffness)
    phonons = compute_phonons(model.crystal(), AsePotential(model), QUICK)
    settings = ThermalExpansionSettings.make(temperatures="0:600:20", anisotropic=True)
    found = compute_thermal_expansion(phonons, AsePotential(model), settings)
    assert found.axes is not None
    for temperature in (0, 300, 600):
        exact = model.equilibrium(temperature, modes(phonons), [[0, 1], [2]])
        index = int(np.argmin(np.abs(found.temperatures - temperature)))
        grown = np.log(found.axes.lengths[index] / model.lengths)
        np.testing.assert_allclose(grown, exact, atol=0.02 * np.abs(exact).max())
    hot = int(np.argmin(np.abs(found.temperatures - 500)))
    a, b, c = found.axes.expansions[hot]
    assert a == pytest.approx(b, rel=1e-3)
    before, after = (model.equilibrium(t, modes(phonons), [[0, 1], [2]]) for t in (490.0, 510.0))
    assert c == pytest.approx((after[2] - before[2]) / 20, rel=0.03)


def test_positions_relax_in_strained_cells() -> None:
    """The height of oxygen in wurtzite is free; a cell stretched along c moves it."""
    springs = AsePotential(NetworkSprings(wurtzite(), reach=3.5))
    settings = PhononSettings.make(supercell="2 2 1", mesh=10, projected_mesh=5, band_points=5)
    phonons = compute_phonons(wurtzite(), springs, settings)
    stretch = np.diag([1.0, 1.0, 1.01])
    relaxed, held = (
        strained_phonons(phonons, springs, stretch, positions=positions)
        for positions in (True, False)
    )
    (forces,) = (one.forces for one in springs.evaluate([relaxed.atoms]))
    assert np.abs(forces).max() < settings.fmax
    (forces,) = (one.forces for one in springs.evaluate([held.atoms]))
    assert np.abs(forces).max() > 100 * settings.fmax
    assert relaxed.record.energy_eV_per_atom < held.record.energy_eV_per_atom - 1e-5
    cell = phonons.atoms.cell.array @ stretch
    np.testing.assert_allclose(relaxed.atoms.cell.array, cell, atol=1e-12)


def test_results_are_written_and_read_back(expanded: ThermalExpansion, tmp_path: Path) -> None:
    folder = expanded.save(tmp_path / "Cu")
    assert (folder / "thermal_expansion.png").stat().st_size > 20_000
    again = ThermalExpansion.load(folder)
    assert again.summary() == expanded.summary()
    np.testing.assert_array_equal(again.helmholtz, expanded.helmholtz)
    json.dumps(again.summary())
    with pytest.raises(ResultError):
        ThermalExpansion.load(tmp_path)


def test_range_ends_where_volumes_end(cubic: Phonons) -> None:
    settings = ThermalExpansionSettings.make(temperatures="0:800:10", largest=0.01, furthest=0.02)
    found = compute_thermal_expansion(cubic, AsePotential(CUBIC), settings)
    assert 0 < found.temperatures[-1] < 800
    assert found.equilibrium_volumes.max() < found.volumes.max()
    (line,) = found.record.warnings
    assert f"the range ends at {found.temperatures[-1]:g} K" in line
    assert found.record.verdict != "trusted"


def test_what_cannot_be_used_is_refused_in_a_line(cubic: Phonons) -> None:
    potential = AsePotential(CUBIC)
    with pytest.raises(SettingsError, match="first:last:step"):
        compute_thermal_expansion(
            CUBIC.crystal(), potential, phonons=QUICK, temperatures="300:100:10"
        )
    with pytest.raises(SettingsError, match="'volumes' of the thermal expansion cannot be 3"):
        compute_thermal_expansion(CUBIC.crystal(), potential, phonons=QUICK, volumes=3)
    with pytest.raises(CrystalError, match="cubic and expands alike"):
        compute_thermal_expansion(cubic, potential, ThermalExpansionSettings.make(anisotropic=True))
    unstable = GrowingSprings([3.0] * 3, [1.8] * 3, 12.0 * np.eye(3), across=-0.5)
    with pytest.raises(CrystalError, match="not stable at rest"):
        compute_thermal_expansion(unstable.crystal(), AsePotential(unstable), phonons=QUICK)


def test_phonopys_own_program_finds_the_same(
    cubic: Phonons, expanded: ThermalExpansion, tmp_path: Path
) -> None:
    """phonopy-qha, on thermal properties that phonopy writes at the same volumes."""
    grid = list(np.arange(0.0, 830.0, 10.0))
    names = []
    for number, volume in enumerate(expanded.volumes):
        stretch = (volume / 27.0) ** (1 / 3) * np.eye(3)
        phonopy = strained_phonons(cubic, AsePotential(CUBIC), stretch).phonopy
        phonopy.run_mesh(QUICK.mesh, is_gamma_center=True)
        phonopy.run_thermal_properties(temperatures=grid, exclude_gamma_acoustic=True)
        names.append(f"thermal_properties-{number}.yaml")
        phonopy.write_yaml_thermal_properties(filename=tmp_path / names[-1])
    table = np.stack([expanded.volumes, expanded.static_energies], axis=1)
    np.savetxt(tmp_path / "e-v.dat", table)
    run_program("phonopy-qha", tmp_path, "e-v.dat", *names, "--tmax=800")

    def column(name: str) -> np.ndarray:
        return np.loadtxt(tmp_path / name)[:80, 1]

    for name, ours in (
        ("volume-temperature.dat", expanded.equilibrium_volumes),
        ("thermal_expansion.dat", expanded.expansion),
        ("bulk_modulus-temperature.dat", expanded.bulk_moduli),
        ("Cp-temperature_polyfit.dat", expanded.heat_capacity),
    ):
        scale = np.abs(ours).max()
        np.testing.assert_allclose(ours[:80], column(name), atol=1e-4 * scale, err_msg=name)
