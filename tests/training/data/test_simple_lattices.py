from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from mlphonon.training.data.reading import read_sources
from mlphonon.training.data.simple_lattices import (
    PROTOTYPES,
    alloys_on_lattices,
    elements_on_lattices,
    labelled_frames,
    lattice_cell,
)

NEIGHBOURS = {"diamond": 4, "sc": 6, "bcc": 8, "fcc": 12}


def copper() -> list[Atoms]:
    return labelled_frames("fcc", [29] * 4, EMT())


def test_frames_surround_the_teachers_rest_volume() -> None:
    volumes = {a.info["config"]: a.get_volume() / 4 for a in copper()}
    # EMT's lattice constant, from a parabola through three distances 7 % apart.
    assert volumes["small"] == pytest.approx(3.59**3 / 4, rel=0.03)
    assert volumes["medium"] != volumes["strained"]
    assert all(0.75 < v / volumes["small"] < 1.35 for v in volumes.values())


def test_labels_are_the_teachers(tmp_path: Path) -> None:
    path = tmp_path / "frames.extxyz"
    alloy = labelled_frames("fcc", [29, 47, 29, 29], EMT())
    assert alloy[0].info["material_id"] == "fcc-AgCu3"
    ase.io.write(path, copper() + alloy, format="extxyz")
    (data,) = read_sources([path])
    assert {frame.crystal for frame in data.frames} == {"fcc-Cu4", "fcc-AgCu3"}
    for frame in data.frames:
        atoms = frame.atoms.copy()
        atoms.calc = EMT()
        assert atoms.get_potential_energy() == pytest.approx(frame.energy, abs=1e-5)
        np.testing.assert_allclose(atoms.get_forces(), frame.forces, atol=1e-5)
        np.testing.assert_allclose(atoms.get_stress(voigt=False), frame.stress, atol=1e-6)


def test_the_same_seed_gives_the_same_frames() -> None:
    np.testing.assert_array_equal(copper()[-1].positions, copper()[-1].positions)
    other = labelled_frames("fcc", [29] * 4, EMT(), seed=2)
    assert np.abs(other[-1].positions - copper()[-1].positions).max() > 1e-3


def test_a_structure_that_has_no_minimum_is_left_out() -> None:
    class Repelling(EMT):
        def get_potential_energy(self, atoms: Atoms, *_a: object, **_k: object) -> float:
            return -atoms.get_volume()

    assert labelled_frames("fcc", [29] * 4, Repelling()) == []


def test_distances_are_those_of_the_prototypes() -> None:
    from ase.neighborlist import neighbor_list

    for prototype, sites in elements_on_lattices([14]):
        length = 4.0
        near = PROTOTYPES[prototype] * length
        found = neighbor_list("d", lattice_cell(prototype, sites, length), near * 1.01)
        assert len(found) == NEIGHBOURS[prototype] * len(sites)
        np.testing.assert_allclose(found, near)


def test_alloys_are_of_neighbours_and_never_half_and_half() -> None:
    numbers = [5, 6, 7, 13, 14, 15, 31, 32, 33, 50]
    alloys = list(alloys_on_lattices(numbers))
    assert alloys == list(alloys_on_lattices(reversed(numbers)))
    with_silicon = {z for _, sites in alloys if 14 in sites for z in sites} - {14}
    assert {6, 13, 15, 32} & with_silicon
    for _, sites in alloys:
        values, counts = np.unique(sites, return_counts=True)
        assert len(values) == 2
        assert counts[0] != counts[1]
    rich = [z for p, sites in alloys if p == "diamond" for z in sites if sites.count(z) > 4]
    assert set(rich) == set(numbers)
