"""Pieces of work side by side: the same numbers, in order, and the threads given back."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from ase.build import bulk

from mlphonon.potentials import cores
from mlphonon.potentials.batches import Batcher
from mlphonon.potentials.mace.mace_potential import MacePotential


@pytest.fixture
def two_threads() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_threads_are_shared_out_and_given_back(two_threads: None) -> None:
    meeting = threading.Barrier(2, timeout=30)

    def work(number: int) -> tuple[int, int]:
        meeting.wait()  # breaks unless both run at once
        return number, torch.get_num_threads()

    with cores.side_by_side(2) as apply:
        assert list(apply(work, [1, 2])) == [(1, 1), (2, 1)]
    assert torch.get_num_threads() == 2
    with cores.side_by_side(1) as apply:
        assert list(apply(lambda n: (n, torch.get_num_threads()), [7])) == [(7, 2)]


def test_threads_come_back_after_a_failure(two_threads: None) -> None:
    def fail(_: int) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), cores.side_by_side(2) as apply:
        list(apply(fail, [1, 2]))
    assert torch.get_num_threads() == 2


def test_a_mace_gives_the_same_side_by_side(
    embedded: MacePotential, two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    structures = [bulk("NaCl", "rocksalt", a=5.5 + 0.02 * i, cubic=True) for i in range(5)]
    for i, atoms in enumerate(structures):
        atoms.rattle(0.05, seed=i)
    directions = [(i, np.eye(3)[i % 3]) for i in range(5)]
    seen: list[int] = []
    found = embedded.evaluate(structures, seen.append)
    rows = embedded.hessian_rows(structures[0], directions, seen.append)
    assert sum(seen) == 10
    monkeypatch.setattr("mlphonon.potentials.mace.mace_potential.cores", lambda: 1)
    for one, other in zip(found, embedded.evaluate(structures), strict=True):
        np.testing.assert_allclose(one.forces, other.forces, atol=1e-12)
    alone = embedded.hessian_rows(structures[0], directions)
    np.testing.assert_allclose(rows, alone, atol=1e-12)


def test_each_place_gets_its_share_in_order() -> None:
    batches: list[list[int]] = []

    def evaluate(batch: list[int]) -> list[int]:
        batches.append(batch)
        return [-n for n in batch]

    found = Batcher(None).run(iter(range(7)), lambda n: 1, evaluate, at_once=3)
    assert [out for done in found for out in done] == [-n for n in range(7)]
    assert batches == [[0, 1], [2, 3], [4, 5, 6]]


def test_what_does_not_fit_side_by_side_is_done_alone() -> None:
    running: list[int] = []

    def evaluate(batch: list[int]) -> list[int]:
        running.append(len(batch))
        if len(running) == 2:
            raise MemoryError
        return [-n for n in batch]

    work = [5000, 5001, 5002, 5003]
    found = Batcher(None).run(iter(work), lambda n: n, evaluate, at_once=2)
    assert [out for done in found for out in done] == [-n for n in work]
    assert running == [1, 1, 1, 1, 1], "the one that failed and what followed were done again"
