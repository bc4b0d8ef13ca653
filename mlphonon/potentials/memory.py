"""What memory there is, and how much of it a calculation will take."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

GIGABYTE = 1e9

PEAK = 2.2
"""The most that is taken at once, over what autograd keeps: intermediate results come on top.
Measured as the peak of the resident memory of MACE models of two sizes: 1.7 to 2.2."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class MemoryModel:
    """Bytes that autograd keeps for one crystal: so many for each atom and each pair.

    Attributes
    ----------
    per_atom, per_edge : float
        Bytes.
    """

    per_atom: float
    per_edge: float

    @classmethod
    def from_counts(cls, counts: list[tuple[int, int, int]]) -> MemoryModel:
        """Fit to atoms, edges and bytes of three crystals or more, of two sizes and densities.

        What does not grow with the crystal, such as weights, is left out.
        """
        import numpy as np

        table = np.array(counts, dtype=float)
        terms = np.column_stack([table[:, :2], np.ones(len(table))])
        (per_atom, per_edge, _), *_ = np.linalg.lstsq(terms, table[:, 2], rcond=None)
        return cls(max(0.0, float(per_atom)), max(0.0, float(per_edge)))

    def kept(self, n_atoms: int, n_edges: int) -> float:
        """Return the bytes that are kept for a crystal."""
        return self.per_atom * n_atoms + self.per_edge * n_edges


def count_kept(run: Callable[[], Any]) -> int:
    """Run something and return the bytes of all tensors that autograd keeps for it."""
    import torch

    kept: dict[int, tuple[int, Any]] = {}

    def note(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        # Held on to, so that its address cannot be taken by another.
        kept[storage.data_ptr()] = (storage.nbytes(), storage)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        result = run()
    del result
    return sum(size for size, _ in kept.values())


def available_memory(device: str) -> int:
    """Return the bytes that could be taken now, on a GPU or on the host.

    On the host, what the operating system has, or the control group of the process allows (of a
    container or a batch job), whichever is less.
    """
    if device.startswith("cuda"):
        from mlphonon.potentials.batches import CudaMemory

        return CudaMemory(device).free()
    import psutil

    return min([int(psutil.virtual_memory().available), *_control_groups()])


def _control_groups(root: Path = Path("/sys/fs/cgroup")) -> Iterator[int]:
    """Yield what each control group above this process has left, bytes (version 2 of Linux)."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # not Linux
        return
    for line in lines:
        number, _, path = line.split(":", 2)
        if number == "0":
            yield from _limits_above(root / path.lstrip("/"), root)


def _limits_above(group: Path, root: Path) -> Iterator[int]:
    """Yield what a control group and those above it have left, where they have a limit."""
    for folder in (group, *group.parents):
        if not folder.is_relative_to(root):
            return
        limit, used = folder / "memory.max", folder / "memory.current"
        if not (limit.is_file() and used.is_file()):
            continue
        text = limit.read_text(encoding="utf-8").strip()
        if text == "max":
            continue
        taken = int(used.read_text(encoding="utf-8"))
        for line in (folder / "memory.stat").read_text(encoding="utf-8").splitlines():
            # Files that were read are dropped when memory is wanted.
            if line.startswith("inactive_file "):
                taken -= int(line.split()[1])
        yield max(0, int(text) - taken)
