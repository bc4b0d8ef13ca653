"""A teacher's frames -> energies, forces and stresses to be matched beside the curvature."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import ase.io
import numpy as np
import torch

from mlphonon.crystal.crystal import reduced_formula
from mlphonon.errors import TrainingError
from mlphonon.training.curvature.split import is_validation
from mlphonon.training.optimisation.settings import LossSettings
from mlphonon.training.packed_graphs import PackedGraphs, join
from mlphonon.training.quick_mace import QuickMace

if TYPE_CHECKING:
    from ase import Atoms

MOST_FORCE = 30.0
"""eV/A; frames with more are left out."""


@dataclass
class LabelledFrame:
    """A frame; its neighbours are found when they are first asked for.

    Attributes
    ----------
    atoms : Atoms
        With ``REF_energy`` (eV), ``REF_forces`` (eV/A) and ``REF_stress`` (eV/A^3).
    places : dict of int to int
        Index among the model's elements of each atomic number.
    r_max : float
        Reach of the model, A.
    """

    atoms: Atoms
    places: dict[int, int] = field(repr=False)
    r_max: float

    @cached_property
    def graph(self) -> PackedGraphs:
        """Neighbours."""
        return PackedGraphs.of(self.atoms, self.places, self.r_max)

    @property
    def edges(self) -> float:
        """Number of neighbours, estimated from the density."""
        density = len(self.atoms) / self.atoms.get_volume()
        return len(self.atoms) * density * 4 / 3 * np.pi * self.r_max**3


LABELS = frozenset({"REF_energy", "REF_stress"})


def read_frames(*paths: Path) -> list[Atoms]:
    """Read labelled frames from extended XYZ files, as they are or gzipped.

    Raises
    ------
    TrainingError
        If a file cannot be read or a frame lacks a label.
    """
    frames: list[Atoms] = []
    for path in paths:
        try:
            raw = path.read_bytes()
            # Unpacked first: ASE seeks back before each frame, quadratic time in a gzip.
            text = gzip.decompress(raw).decode() if path.suffix == ".gz" else raw.decode()
            found = ase.io.read(io.StringIO(text), index=":", format="extxyz")
        except (OSError, UnicodeDecodeError, ValueError, EOFError) as error:
            raise TrainingError(f"cannot read labelled frames from {path}", str(error)) from error
        for number, atoms in enumerate(found):
            if not atoms.info.keys() >= LABELS or "REF_forces" not in atoms.arrays:
                raise TrainingError(
                    f"frame {number} of {path} lacks a label",
                    fix="label every frame with REF_energy, REF_forces and REF_stress",
                )
        frames += found
    return frames


def read_labelled(
    paths: Sequence[Path], places: dict[int, int], r_max: float
) -> tuple[list[LabelledFrame], list[LabelledFrame]]:
    """Read frames of known elements: those to learn from, and those of validation formulas."""
    parts: tuple[list[LabelledFrame], list[LabelledFrame]] = ([], [])
    for atoms in read_frames(*paths):
        if not set(atoms.numbers.tolist()) <= places.keys():
            continue
        if np.abs(atoms.arrays["REF_forces"]).max() > MOST_FORCE:
            continue
        frame = LabelledFrame(atoms, places, r_max)
        parts[is_validation(reduced_formula(atoms))].append(frame)
    return parts


@dataclass(frozen=True)
class FrameErrors:
    """Differences from the labels.

    Attributes
    ----------
    energy : Tensor, shape (n_frames,)
        eV per atom, absolute.
    forces : Tensor, shape (n_atoms,)
        Lengths, eV/A.
    stress : Tensor, shape (n_frames,)
        Frobenius norms times the volume per atom, eV.
    """

    energy: torch.Tensor
    forces: torch.Tensor
    stress: torch.Tensor

    def loss(self, settings: LossSettings) -> torch.Tensor:
        """Return the weighted sum of their means."""
        return (
            settings.energy * self.energy.mean()
            + settings.forces * self.forces.mean()
            + settings.stress * self.stress.mean()
        )


def frame_errors(quick: QuickMace, frames: Sequence[LabelledFrame], train: bool) -> FrameErrors:
    """Compare the model with the labels of frames."""
    graphs = join([frame.graph for frame in frames], quick.r_max)
    atoms = [frame.atoms for frame in frames]
    counts = torch.tensor([float(len(each)) for each in atoms])
    positions = graphs.positions.requires_grad_(True)
    strain = torch.zeros(len(frames), 3, 3, requires_grad=True)
    each = quick.node_energies(graphs, positions, (strain + strain.transpose(1, 2)) / 2)
    slope, virial = torch.autograd.grad(each.sum(), (positions, strain), create_graph=train)
    bound = torch.zeros(len(frames)).index_add(0, graphs.graph, each)
    known = _tensor([a.info["REF_energy"] for a in atoms]) - quick.free_energies(graphs).float()
    forces = _tensor(np.concatenate([a.arrays["REF_forces"] for a in atoms]))
    volumes = _tensor([a.get_volume() for a in atoms])
    stresses = _tensor([a.info["REF_stress"] for a in atoms])
    off = virial / volumes[:, None, None] - stresses
    return FrameErrors(
        energy=(bound - known).abs() / counts,
        forces=torch.sqrt((slope + forces).square().sum(1) + 1e-10),
        stress=torch.sqrt(off.square().sum((1, 2)) + 1e-12) * volumes / counts,
    )


def _tensor(values: object) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values, dtype=np.float32))
