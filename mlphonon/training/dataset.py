"""Labelled frames -> graphs, split by crystal, and batches of even cost."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase.io
import numpy as np

from mlphonon.errors import TrainingError

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from mace.data import AtomicData


@dataclass(frozen=True)
class LabelledFrames:
    """Frames with energy (eV), forces (eV/A), stress (eV/A^3), and the crystal each came from."""

    frames: tuple[Atoms, ...]
    sha256: str

    def __post_init__(self) -> None:
        for index, atoms in enumerate(self.frames):
            labels = {"REF_energy", "REF_stress", "material_id", "config"} - atoms.info.keys()
            if labels or "REF_forces" not in atoms.arrays:
                raise TrainingError(
                    f"frame {index} has no {', '.join(sorted(labels)) or 'REF_forces'}",
                    fix="label every frame with REF_energy, REF_forces, REF_stress,"
                    " material_id and config",
                )

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers that occur, ascending."""
        return tuple(sorted({int(z) for atoms in self.frames for z in atoms.numbers}))

    def split(self, fraction: float, seed: int) -> tuple[LabelledFrames, LabelledFrames]:
        """Split into training and validation frames by reduced formula, never by frame.

        Polymorphs of one formula are near relatives; they go to the same side.
        """

        def share(atoms: Atoms) -> float:
            key = f"{seed}:{atoms.symbols.get_chemical_formula('hill', empirical=True)}"
            return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 0x100000000

        held = tuple(atoms for atoms in self.frames if share(atoms) < fraction)
        kept = tuple(atoms for atoms in self.frames if share(atoms) >= fraction)
        return LabelledFrames(kept, self.sha256), LabelledFrames(held, self.sha256)


def read_frames(*paths: Path) -> LabelledFrames:
    """Read labelled frames from (optionally gzipped) extended XYZ files.

    Raises
    ------
    TrainingError
        If a file cannot be read or a frame lacks a label.
    """
    frames: list[Atoms] = []
    digest = hashlib.sha256()
    for path in paths:
        try:
            raw = path.read_bytes()
            # Unpacked first: ASE seeks back before each frame, quadratic time in a gzip.
            text = gzip.decompress(raw).decode() if path.suffix == ".gz" else raw.decode()
            frames += ase.io.read(io.StringIO(text), index=":", format="extxyz")
        except (OSError, UnicodeDecodeError, ValueError, EOFError) as error:
            raise TrainingError(f"cannot read labelled frames from {path}", str(error)) from error
        digest.update(raw)
    return LabelledFrames(tuple(frames), digest.hexdigest())


def fit_atomic_energies(frames: LabelledFrames) -> dict[int, float]:
    """Least-squares energy per element, eV: what composition alone explains.

    Isolated-atom energies would leave cohesive energies of several eV per atom in the
    target; they swamped the forces in a first training.
    """
    elements = frames.elements
    counts = np.array([[np.sum(a.numbers == z) for z in elements] for a in frames.frames], float)
    energies = np.array([atoms.info["REF_energy"] for atoms in frames.frames])
    solution, *_ = np.linalg.lstsq(counts, energies, rcond=None)
    return dict(zip(elements, (float(e) for e in solution), strict=True))


def force_rms(frames: LabelledFrames) -> float:
    """Root mean square of all force components, eV/A."""
    squares = [np.square(atoms.arrays["REF_forces"]).sum() for atoms in frames.frames]
    return float(np.sqrt(sum(squares) / (3 * sum(len(a) for a in frames.frames))))


def build_graphs(
    frames: LabelledFrames, elements: tuple[int, ...], r_max: float, kinds: dict[str, float]
) -> list[AtomicData]:
    """Turn frames into labelled MACE graphs; `kinds` weights them by their ``config``."""
    from mace.data import AtomicData, Configuration
    from mace.tools import AtomicNumberTable

    table = AtomicNumberTable(list(elements))
    graphs = []
    for atoms in frames.frames:
        configuration = Configuration(
            atomic_numbers=atoms.numbers,
            positions=atoms.positions,
            properties={
                "energy": atoms.info["REF_energy"],
                "forces": atoms.arrays["REF_forces"],
                "stress": np.asarray(atoms.info["REF_stress"], dtype=float),
            },
            property_weights={"energy": 1.0, "forces": 1.0, "stress": 1.0},
            cell=atoms.cell.array,
            pbc=tuple(atoms.pbc),
            weight=kinds.get(atoms.info["config"], 1.0),
        )
        graphs.append(AtomicData.from_config(configuration, z_table=table, cutoff=r_max))
    return graphs


def make_batches(
    edges: np.ndarray, limit: int, rng: np.random.Generator | None = None
) -> list[list[int]]:
    """Group frames so that each batch holds at most `limit` edges (cost goes with edges).

    Parameters
    ----------
    edges : ndarray, shape (n_frames,)
        Number of directed edges of each frame's graph.
    limit : int
        Most edges in a batch; a larger frame makes a batch alone.
    rng : Generator, optional
        Shuffles the frames first; without it their order is kept.
    """
    order = np.arange(len(edges)) if rng is None else rng.permutation(len(edges))
    batches: list[list[int]] = []
    total = limit + 1
    for index in order:
        if total + edges[index] > limit:
            batches.append([])
            total = 0
        batches[-1].append(int(index))
        total += edges[index]
    return batches


def edges_of(graphs: Sequence[AtomicData]) -> np.ndarray:
    """Directed edges of each graph, shape (n_graphs,)."""
    return np.array([graph.edge_index.shape[1] for graph in graphs], dtype=int)


def collate(graphs: list[AtomicData], device: torch.device | str = "cpu") -> Any:
    """Join graphs into one MACE batch on a device."""
    from mace.tools.torch_geometric.batch import Batch

    return Batch.from_data_list(graphs).to(device)


def device_of(model: torch.nn.Module) -> torch.device:
    """Return the device that a model's weights are on."""
    return next(model.parameters()).device
