"""Batches: they fill what fits, keep the order, and shrink when memory runs out."""

from __future__ import annotations

import pytest
from ase.build import bulk

from mlphonon.errors import PotentialError
from mlphonon.potentials.batches import (
    CPU_EDGES,
    FIRST_EDGES,
    SHARE,
    Batcher,
    TooLargeError,
    is_out_of_memory,
)
from mlphonon.potentials.mace.mace_potential import MacePotential

BYTES_PER_EDGE = 1000


class Gpu:
    """A device with so much memory, on which an edge costs `BYTES_PER_EDGE`."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.last, self.released = capacity, 0, 0
        self.batches: list[list[int]] = []

    def start(self) -> None:
        self.last = 0

    def peak(self) -> int:
        return self.last

    def free(self) -> int:
        return self.capacity

    def release(self) -> None:
        self.released += 1

    def evaluate(self, batch: list[int]) -> list[int]:
        self.last = sum(batch) * BYTES_PER_EDGE
        if self.last > self.capacity:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.batches.append(batch)
        return [-edges for edges in batch]


def run(batcher: Batcher, gpu: Gpu, work: list[int]) -> list[int]:
    return [out for done in batcher.run(iter(work), lambda n: n, gpu.evaluate) for out in done]


def test_a_cpu_fills_batches_in_order() -> None:
    gpu, work = Gpu(10**12), [5000, 5000, 5000, 20_000, 1, 2]
    assert run(Batcher(None), gpu, work) == [-n for n in work]
    assert gpu.batches == [[5000, 5000], [5000], [20_000], [1, 2]]
    assert 2 * 5000 <= CPU_EDGES < 3 * 5000


def test_the_memory_of_an_edge_is_measured_once_and_used() -> None:
    gpu = Gpu(100_000 * BYTES_PER_EDGE)
    batcher = Batcher(gpu)
    run(batcher, gpu, [1000] * 300)
    first, *later = gpu.batches
    assert sum(first) == FIRST_EDGES
    assert batcher.edges == int(SHARE * 100_000)
    assert [len(batch) for batch in later] == [70, 70, 70, 70]
    assert gpu.released == 0


def test_a_batch_that_does_not_fit_is_halved_and_remembered() -> None:
    gpu = Gpu(100_000 * BYTES_PER_EDGE)
    batcher = Batcher(gpu)
    run(batcher, gpu, [1000] * 20)
    gpu.capacity = 40_000 * BYTES_PER_EDGE  # another program came
    work = list(range(1000, 1100))
    assert run(batcher, gpu, work) == [-n for n in work]
    assert gpu.released == 1
    assert batcher.edges <= 40_000
    assert all(sum(batch) <= 40_000 for batch in gpu.batches)
    gpu.batches.clear()
    run(batcher, gpu, work)
    assert gpu.released == 1, "it is remembered"


def test_one_that_never_fits_is_refused_in_one_line() -> None:
    gpu = Gpu(500 * BYTES_PER_EDGE)
    with pytest.raises(TooLargeError, match="1000 pairs of neighbours") as caught:
        run(Batcher(gpu), gpu, [100, 1000])
    assert "\n" not in str(caught.value)
    assert gpu.batches == [[100]]


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def fail(_batch: list[int]) -> list[int]:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        list(Batcher(None).run([1], lambda n: n, fail))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))


def test_a_mace_halves_and_gives_the_same(
    embedded: MacePotential, monkeypatch: pytest.MonkeyPatch
) -> None:
    structures = [bulk("NaCl", "rocksalt", a=5.5 + 0.05 * i) for i in range(6)]
    expected = [found.energy for found in embedded.evaluate(structures)]
    inner, sizes = embedded._run, []

    most = 2

    def cramped(graphs: list) -> list:
        sizes.append(len(graphs))
        if len(graphs) > most:
            raise RuntimeError("CUDA out of memory")
        return inner(graphs)

    monkeypatch.setattr(embedded, "_run", cramped)
    monkeypatch.setattr(embedded, "_batcher", Batcher(None))
    monkeypatch.setattr("mlphonon.potentials.mace.mace_potential.cores", lambda: 1)
    seen: list[int] = []
    found = [one.energy for one in embedded.evaluate(structures, seen.append)]
    assert found == pytest.approx(expected, abs=1e-10)
    assert sizes[0] == 6
    assert sum(seen) == 6
    most = 0
    with pytest.raises(PotentialError, match=r"not fit into memory.*cpu.*smaller supercell"):
        embedded.evaluate(structures)
