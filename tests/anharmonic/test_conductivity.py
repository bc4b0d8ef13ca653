"""Heat conductivity: phono3py's own command line on the same files, sums, tensors, limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from scipy import constants

from mlphonon import (
    Phonons,
    PhononSettings,
    ThermalConductivity,
    ThermalConductivitySettings,
    compute_phonons,
    compute_thermal_conductivity,
)
from mlphonon.anharmonic.conductivity.compute import neighbour_shells
from mlphonon.anharmonic.conductivity.transport import conduct
from mlphonon.anharmonic.third_order.compute import compute_third_order
from mlphonon.anharmonic.third_order.result import ThirdOrder
from mlphonon.anharmonic.third_order.settings import ThirdOrderSettings
from mlphonon.errors import ResultError, SettingsError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Potential
from tests.helpers.programs import run_program
from tests.helpers.springs import NetworkSprings

MESH = (5, 5, 5)
FLAGS = (
    "--exclude-gamma-acoustic",
    "--symmetrize-tetrahedra",
    "--average-degenerate-weights",
    "--fc-calculator",
    "traditional",
)
"""What we ask of phono3py, in the words of its program."""

SMALL = ThirdOrderSettings(min_length=7)


@pytest.fixture(scope="module")
def phonons(embedded: Potential) -> Phonons:
    return compute_phonons(bulk("Si"), embedded, min_length=7, mesh=20)


@pytest.fixture(scope="module")
def third(embedded: Potential, phonons: Phonons) -> ThirdOrder:
    return compute_third_order(phonons, embedded, SMALL)


def run(third: ThirdOrder, **changes: object) -> ThermalConductivity:
    return conduct(third.phono3py, ThermalConductivitySettings.make(**({"mesh": MESH} | changes)))


@pytest.mark.parametrize(
    ("transport", "option", "dataset"),
    [
        ("rta", "--br", "kappa"),
        ("lbte", "--lbte", "kappa"),
        ("wigner", "--br --tt SMM19", "kappa"),
    ],
)
def test_is_phono3pys_command_line(
    phonons: Phonons, embedded: Potential, tmp_path: Path, transport: str, option: str, dataset: str
) -> None:
    """The same displacements and forces, through phono3py's program and its files."""
    import h5py

    settings = ThirdOrderSettings(method="displacements", min_length=7)
    third = compute_third_order(phonons, embedded, settings)
    third.phono3py.save(
        tmp_path / "phono3py_params.yaml",
        settings={"force_sets": True, "displacements": True, "force_constants": False},
    )
    from phono3py.file_IO import write_fc2_to_hdf5

    # Second order in its own supercell; the program makes the third from the forces.
    write_fc2_to_hdf5(
        third.phono3py.fc2,
        filename=tmp_path / "fc2.hdf5",
        p2s_map=third.phono3py.phonon_primitive.p2s_map,
    )
    arguments = ["phono3py_params.yaml", "--mesh", *(str(n) for n in MESH)]
    arguments += [*option.split(), "--ts", "300", *FLAGS]
    run_program("phono3py-load", tmp_path, *arguments)
    (file,) = tmp_path.glob("kappa-m*.hdf5")
    with h5py.File(file) as found:
        names = [dataset, "kappa_TOT_RTA"]
        theirs = np.array(next(found[name] for name in names if name in found))
    ours = run(third, transport=transport, temperatures=(300.0,)).kappa[0]
    np.testing.assert_allclose(np.diag(ours), theirs.reshape(-1, 6)[0, :3], rtol=1e-5)


@pytest.mark.parametrize("transport", ["rta", "lbte", "wigner", "wigner-lbte"])
def test_parts_add_up(third: ThirdOrder, transport: str) -> None:
    found = run(third, transport=transport, temperatures=(200.0, 400.0))
    n_mesh = found.weights.sum()
    assert n_mesh == np.prod(MESH)
    np.testing.assert_allclose(found.mode_kappa.sum(axis=(1, 2)) / n_mesh, found.average)
    populations = np.trace(found.populations, axis1=1, axis2=2) / 3
    for axis in (found.by_frequency, found.by_mean_free_path):
        np.testing.assert_allclose(axis.cumulative[:, -1], populations, rtol=1e-6)
        # The direct solution may hold modes that carry heat back.
        if transport in ("rta", "wigner"):
            assert (np.diff(axis.cumulative, axis=1) > -1e-9).all()
    # Silicon is cubic.
    for tensor in found.kappa:
        np.testing.assert_allclose(tensor, tensor[0, 0] * np.eye(3), atol=1e-3 * tensor[0, 0])
    coherences = np.trace(found.coherences, axis1=1, axis2=2)
    assert (coherences > 0).all() if "wigner" in transport else (coherences == 0).all()


def test_falls_as_one_over_temperature(third: ThirdOrder) -> None:
    """Three-phonon scattering is proportional to the temperature where all modes are excited."""
    found = run(third, transport="rta", temperatures=(3000.0, 6000.0))
    assert found.average[0] / found.average[1] == pytest.approx(2, rel=5e-3)


def test_lifetimes_and_paths(third: ThirdOrder) -> None:
    found = run(third, transport="rta")
    mode = np.unravel_index(np.argmax(found.mode_kappa[0]), found.mode_kappa[0].shape)
    lifetime = 1 / (2 * 2 * np.pi * found.linewidths[0][mode])
    speed = np.linalg.norm(found.group_velocities[mode])
    assert found.lifetimes[0][mode] == pytest.approx(lifetime)
    assert found.mean_free_paths[0][mode] == pytest.approx(lifetime * speed)


def test_more_scatters_with_boundaries_and_isotopes(third: ThirdOrder) -> None:
    plain = run(third, transport="rta")
    isotopes = run(third, transport="rta", isotope=True)
    # Matthiessen: a path of 1 nm leaves none longer.
    narrow = run(third, transport="rta", boundary=1e-9)
    assert narrow.average < isotopes.average < plain.average
    assert narrow.mean_free_paths[0].max() < 10.0
    added = narrow.linewidths - plain.linewidths
    speeds = np.linalg.norm(plain.group_velocities, axis=2)
    np.testing.assert_allclose(added[0], speeds / (4 * np.pi * 10.0), atol=1e-12)


def test_isotopes_are_in_the_linewidths(third: ThirdOrder) -> None:
    """They are in the conductivities of the modes, which are as long-lived as their lines say."""
    plain = run(third, transport="rta", temperatures=(200.0, 400.0))
    isotopes = run(third, transport="rta", temperatures=(200.0, 400.0), isotope=True)
    added = isotopes.linewidths - plain.linewidths
    # Mass disorder knows no temperature, and scatters the quick modes most.
    np.testing.assert_allclose(added[1], added[0], rtol=1e-6, atol=1e-12)
    assert added.min() >= 0
    assert (added[0] > 1e-3 * plain.linewidths[0]).mean() > 0.5
    moving = plain.mode_kappa > 1e-3 * plain.mode_kappa.max()
    np.testing.assert_allclose(
        (isotopes.mode_kappa / plain.mode_kappa)[moving],
        (plain.linewidths / isotopes.linewidths)[moving],
        rtol=1e-6,
    )


def test_all_six_components_of_a_triclinic_crystal() -> None:
    """Sum over modes of C v v tau, from velocities, frequencies and linewidths: no tensor's order.

    Of a crystal whose only symmetry is inversion, which turns no velocity into another's axis.
    """
    strain = np.array([[0.02, 0.03, -0.01], [0.03, -0.03, 0.02], [-0.01, 0.02, 0.01]])
    crystal = bulk("Si")
    crystal.set_cell(crystal.cell @ (np.eye(3) + strain), scale_atoms=True)
    springs = AsePotential(NetworkSprings(crystal, reach=4.2))
    phonons = compute_phonons(crystal, springs, min_length=6, mesh=20, relax=False)
    assert phonons.record.spacegroup == "P-1 (2)"
    pairs = ThirdOrderSettings(method="displacements", min_length=6)
    found = run(compute_third_order(phonons, springs, pairs), transport="rta", mesh=(4, 4, 4))
    temperature = 300.0
    quanta = constants.h * 1e12 * found.frequencies / (constants.k * temperature)
    with np.errstate(divide="ignore", invalid="ignore"):
        # J/K of each mode, and what 1e22 / A^3 (100 m/s)^2 ps make of it in W/m/K.
        heat = constants.k * (quanta / 2 / np.sinh(quanta / 2)) ** 2
        share = np.nan_to_num(heat * found.lifetimes[0], posinf=0.0)
    v = found.group_velocities
    total = np.einsum("q,qb,qbi,qbj->ij", found.weights, share, v, v)
    expected = 1e22 * total / (found.weights.sum() * phonons.atoms.get_volume())
    np.testing.assert_allclose(found.kappa[0], expected, rtol=2e-3, atol=1e-4 * expected.max())
    six = found.kappa[0][[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    apart = np.abs(six[:, None] - six)[np.triu_indices(6, k=1)]
    assert apart.min() > 0.01 * six.max()


@pytest.mark.slow
def test_turned_crystal_has_a_turned_tensor(embedded: Potential) -> None:
    """Axes of a hexagonal crystal: x = y, and neither is z, however its cell is given."""
    wurtzite = bulk("ZnO", "wurtzite", a=3.25, c=5.207, u=0.3825)
    turned = wurtzite.copy()
    turned.rotate(40, (1, 2, 3), rotate_cell=True)
    options = {
        "third_order": ThirdOrderSettings(min_length=6),
        "mesh": (3, 3, 3),
        "transport": "rta",
        "phonons": PhononSettings(min_length=8, mesh=20),
    }
    straight, other = (
        compute_thermal_conductivity(a, embedded, **options) for a in (wurtzite, turned)
    )
    diagonal = np.diag(straight.kappa[0])
    np.testing.assert_allclose(other.kappa, straight.kappa, rtol=1e-4, atol=1e-4)
    assert diagonal[0] == pytest.approx(diagonal[1], rel=1e-3)
    assert abs(diagonal[2] / diagonal[0] - 1) > 0.01


@pytest.mark.slow
def test_grown_mesh_and_cutoff(embedded: Potential, phonons: Phonons) -> None:
    settings = ThermalConductivitySettings(
        mesh="converged", cutoff="auto", tolerance=0.5, transport="rta", third_order=SMALL
    )
    found = compute_thermal_conductivity(phonons, embedded, settings)
    grown = [what.split()[0] for what, _ in found.record.series]
    assert grown.count("cutoff") >= 2 and grown.count("mesh") >= 2
    values = [value for what, value in found.record.series if what.startswith("mesh")]
    assert abs(values[-1] / values[-2] - 1) < 0.5
    assert found.average[0] == values[-1]
    shells = neighbour_shells(phonons, np.diag([2, 2, 2]))
    # Neighbours of silicon at 2.35, 3.84 and 4.50 A.
    assert shells[0] == pytest.approx((2.35 + 3.84) / 2, abs=0.1)


def test_saved_and_loaded(embedded: Potential, tmp_path: Path) -> None:
    found = compute_thermal_conductivity(
        bulk("Si"),
        embedded,
        phonons=PhononSettings(min_length=8, mesh=20),
        third_order=SMALL,
        mesh=MESH,
        temperatures=(300.0, 600.0),
    )
    folder = found.save(tmp_path / "si")
    again = ThermalConductivity.load(folder)
    assert again.record == found.record
    for name in ("kappa", "linewidths", "mode_kappa", "frequencies"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert again.summary() == found.summary()
    assert (folder / "thermal_conductivity.png").stat().st_size > 10_000
    assert (folder / "thermal_conductivity.csv").read_text().count("\n") == 3
    assert any("600 K" in line for line in found.describe())
    (folder / "thermal_conductivity.npz").write_bytes(b"damaged")
    with pytest.raises(ResultError, match=r"thermal_conductivity\.npz is another file"):
        ThermalConductivity.load(folder)


def test_refusals() -> None:
    with pytest.raises(SettingsError, match="nothing scatters"):
        ThermalConductivitySettings.make(temperatures=(0.0,))
    with pytest.raises(
        SettingsError, match="'transport' of the thermal conductivity cannot be 'magic'"
    ):
        ThermalConductivitySettings.make(transport="magic")
    with pytest.raises(SettingsError, match="'mesh'"):
        ThermalConductivitySettings.make(mesh=-3)
