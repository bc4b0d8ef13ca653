"""MACE in this process: real batches through its own graphs."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.errors import PotentialError
from mlphonon.potentials.batches import (
    SHARE,
    Batcher,
    CudaMemory,
    TooLargeError,
    is_out_of_memory,
)
from mlphonon.potentials.cores import cores, side_by_side
from mlphonon.potentials.mace.descriptors import invariant_features
from mlphonon.potentials.mace.graphs import GraphMaker, n_edges
from mlphonon.potentials.mace.kernels import accelerate, probe_structure, require_same_forces
from mlphonon.potentials.memory import PEAK, MemoryModel, available_memory, count_kept
from mlphonon.potentials.potential import (
    Evaluation,
    PotentialInfo,
    ProgressCallback,
    check_elements,
)
from mlphonon.potentials.second_derivatives import GPU_EDGES, differentiate_forces

if TYPE_CHECKING:
    import torch
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from mace.data import AtomicData

    from mlphonon.potentials.training_space import TrainingSpace


ROUGH_BYTES = 1_000_000
"""More than any MACE takes for a pair of neighbours (0.04 to 0.25 MB were measured): where this
much is there, nothing needs to be counted."""


@dataclass(frozen=True)
class WeightsInfo:
    """What is known of the weights of a model, apart from the model itself.

    Attributes
    ----------
    name : str
        How the potential is called in results.
    sha256 : str, optional
        Digest of the file they come from.
    functional : str, optional
        The density functional they were trained on.
    tested : bool
        Whether they were run by those who put them into the catalogue.
    training_space : TrainingSpace, optional
        The environments they were trained on.
    """

    name: str
    sha256: str | None = None
    functional: str | None = None
    tested: bool = True
    training_space: TrainingSpace | None = None


class MacePotential:
    """A MACE model as a potential.

    Parameters
    ----------
    model : torch.nn.Module
        A MACE energy model (``ScaleShiftMACE`` or ``MACE``).
    weights : WeightsInfo
        What is known of its weights; a training space of other weights is refused.
    head : str, optional
        Head of a multi-head model; needed where it has several.
    device : {"cpu", "cuda", ...}
        A torch device.
    dtype : {"float64", "float32"}
        Precision of the weights and of all arithmetic. Differences of forces need float64.
    kernels : {"auto", "plain"}
        The fastest arithmetic there is, or mace's own.

    Raises
    ------
    PotentialError
        If the precision or the head is unknown, there are several heads and none is named, or
        fast kernels change forces.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        weights: WeightsInfo,
        *,
        head: str | None = None,
        device: str = "cpu",
        dtype: str = "float64",
        kernels: str = "auto",
    ) -> None:
        import torch

        if dtype not in ("float32", "float64"):
            raise PotentialError(f"dtype '{dtype}' is unknown", fix="use float32 or float64")
        if weights.training_space is not None:
            weights.training_space.require(weights.sha256, weights.name)
        native = str(next(model.parameters()).dtype).removeprefix("torch.")
        self._weights = weights
        self._model = model.to(device=device, dtype=getattr(torch, dtype)).eval()
        heads = heads_of(model)
        self._head = choose_head(weights.name, heads, head)
        numbers = tuple(int(z) for z in model.atomic_numbers)
        self._graphs = GraphMaker(numbers, float(model.r_max), heads, self._head, dtype)
        self._on_gpu = torch.device(device).type == "cuda"
        self._batcher = Batcher(CudaMemory(device) if self._on_gpu else None)
        self._other: MacePotential | None = None
        # Of kernels that are another model: the one they were made of, in the host's memory.
        self._made_of: torch.nn.Module | None = None
        self._memory_models: dict[bool, MemoryModel] = {}
        self._info = PotentialInfo(
            name=weights.name,
            backend="mace",
            dtype=dtype,
            device=str(device),
            elements=frozenset(numbers),
            cutoff=self._graphs.cutoff,
            receptive_field=self._graphs.cutoff * int(model.num_interactions),
            batched=True,
            differentiable=True,
            sha256=weights.sha256,
            kernels="e3nn",
            native_dtype=native,
            functional=weights.functional,
            head=self._head if len(heads) > 1 else None,
            conservative=True,
            tested=weights.tested,
        )
        if kernels != "plain":
            self._accelerate()
        for parameter in self._model.parameters():
            parameter.requires_grad_(False)

    def _accelerate(self) -> None:
        """Take faster kernels; those of another program only if they change no force."""
        plain = self._model
        quick, kernels = accelerate(plain, self._info.device)
        if quick is not plain:
            probe = probe_structure(self._graphs.numbers[0])
            expected = self.evaluate([probe])[0].forces
            self._model = quick
            forces = self.evaluate([probe])[0].forces
            require_same_forces(expected, forces, kernels, self._info.dtype)
            self._made_of = plain.to("cpu")
        self._info = replace(self._info, kernels=kernels)

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of this potential."""
        return self._info

    @property
    def model(self) -> torch.nn.Module:
        """The torch module (see `TrainablePotential`)."""
        return self._model

    @property
    def head(self) -> str:
        """The head that is asked (see `TrainablePotential`)."""
        return self._head

    @property
    def training_space(self) -> TrainingSpace | None:
        """The environments it was trained on; None where nobody wrote them down."""
        return self._weights.training_space

    def descriptors(self, atoms: Atoms) -> np.ndarray:
        """Return invariant node features of all layers (see `DescriptorPotential`)."""
        check_elements(self._info, [atoms])
        return invariant_features(self._model, self.graph(atoms), self._info.device)

    def graph(self, atoms: Atoms) -> AtomicData:
        """Return the neighbour graph of one structure, in the precision of this potential."""
        return self._graphs.make(atoms)

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate structures in batches of graphs (see `Potential.evaluate`)."""
        check_elements(self._info, structures)
        results: list[Evaluation] = []
        graphs = (self.graph(atoms) for atoms in structures)
        at_once = 1
        if not self._on_gpu and len(structures) > 1:
            largest = self.graph(max(structures, key=len))
            at_once = self._fitting(min(cores(), len(structures)), largest, rows=False)
        try:
            with side_by_side(at_once) as apply:
                for done in self._batcher.run(graphs, n_edges, self._run, at_once, apply):
                    results.extend(done)
                    if progress is not None:
                        progress(len(done))
        except TooLargeError as error:
            raise self._too_large(str(error)) from error
        return results

    def hessian_rows(
        self,
        atoms: Atoms,
        displacements: Sequence[tuple[int, np.ndarray]],
        progress: ProgressCallback | None = None,
    ) -> np.ndarray:
        """Differentiate the forces (see `DifferentiablePotential`).

        A row costs about 1.2 to 1.45 force calls. On a CPU rows run side by side, which was
        quicker than one after the other and than batches of them (``is_grads_batched``); on a
        GPU copies of the crystal fill the device.
        """
        check_elements(self._info, [atoms])
        if not displacements:
            return np.empty((0, len(atoms), 3))
        graph = self.graph(atoms)
        copies, at_once = 1, 1
        if self._on_gpu:
            wanted = max(1, GPU_EDGES // max(1, n_edges(graph)))
            copies = self._fitting(min(wanted, len(displacements)), graph, rows=True)
        else:
            at_once = self._fitting(min(cores(), len(displacements)), graph, rows=True)
        try:
            forces, positions = self._differentiable_forces(graph, copies)
            return differentiate_forces(forces, positions, displacements, at_once, progress)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            message = f"second derivatives of {len(atoms)} atoms do not fit into memory"
            raise self._too_large(message) from error

    def _differentiable_forces(
        self, graph: AtomicData, copies: int = 1
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return forces, shape (copies, n_atoms, 3), with their graph, and its positions."""
        from mace.tools.torch_geometric.batch import Batch

        data = Batch.from_data_list([graph] * copies).to(self._info.device).to_dict()
        forces = self._model(data, training=True, compute_force=True)["forces"]
        return forces.view(copies, -1, 3), data["positions"]

    def in_precision(self, dtype: str) -> MacePotential:
        """Return the same potential in another precision (see `DifferentiablePotential`)."""
        if dtype == self._info.dtype:
            return self
        if self._other is None:
            self._other = MacePotential(
                copy.deepcopy(self._model),
                self._weights,
                head=self._head,
                device=self._info.device,
                dtype=dtype,
                kernels="plain",  # the model has its kernels already
            )
            self._other._info = replace(self._other._info, kernels=self._info.kernels)
            self._other._made_of = self._made_of
        return self._other

    def with_plain_kernels(self) -> MacePotential:
        """Return the same potential with mace's own arithmetic, to compare with.

        Returns
        -------
        MacePotential
            Itself if it has no other kernels; else one around a copy of the model, whose
            ``info.kernels`` is ``"e3nn"``.
        """
        from mlphonon.potentials.mace.fused import plain_copy

        if self._info.kernels == "e3nn":
            return self
        plain = MacePotential(
            plain_copy(self._model if self._made_of is None else self._made_of),
            self._weights,
            head=self._head,
            device=self._info.device,
            dtype=self._info.dtype,
            kernels="plain",
        )
        plain._info = replace(self._info, kernels="e3nn")
        return plain

    def memory(self, atoms: Atoms, rows: bool = False, at_once: int = 1) -> int:
        """Predict the most memory that a calculation takes (see `DifferentiablePotential`)."""
        return self._memory_of(self.graph(atoms), rows, at_once)

    def _memory_of(self, graph: AtomicData, rows: bool, at_once: int) -> int:
        kept = self._memory_model(rows).kept(int(graph.num_nodes), n_edges(graph))
        # Rows that run side by side share what is kept.
        return int(kept * (1 + (PEAK - 1) * at_once if rows else PEAK * at_once))

    def _memory_model(self, rows: bool) -> MemoryModel:
        """Return what forces or second derivatives take, counted once on small crystals."""
        if rows in self._memory_models:
            return self._memory_models[rows]
        dense = probe_structure(self._graphs.numbers[0])
        sparse = dense.copy()
        sparse.set_cell(1.25 * dense.cell.array, scale_atoms=True)
        probes = (dense, sparse, dense.repeat((2, 1, 1)))
        run = self._differentiable_forces if rows else lambda graph: self._run([graph])
        counts = [
            (int(graph.num_nodes), n_edges(graph), count_kept(partial(run, graph)))
            for graph in map(self.graph, probes)
        ]
        return self._memory_models.setdefault(rows, MemoryModel.from_counts(counts))

    def _fitting(self, wanted: int, graph: AtomicData, rows: bool) -> int:
        """Return how many can run at once: as many as wanted, if memory allows."""
        free = SHARE * available_memory(self._info.device)
        if wanted * n_edges(graph) * ROUGH_BYTES <= free:
            return wanted
        copied = rows and self._on_gpu
        while wanted > 1:
            need = self._memory_of(graph, rows, at_once=1 if copied else wanted)
            if need * (wanted if copied else 1) <= free:
                break
            wanted -= 1
        return wanted

    def _too_large(self, message: str) -> PotentialError:
        return PotentialError(
            message,
            f"device {self._info.device}, {self._info.dtype}",
            "use a smaller supercell, --dtype float32 or --device cpu",
        )

    def calculator(self) -> Calculator:
        """Return mace's own ASE calculator around the same model."""
        from mace.calculators import MACECalculator

        return MACECalculator(
            models=[self._model],
            device=self._info.device,
            default_dtype=self._info.dtype,
            head=self._head,
        )

    def _run(self, graphs: list[AtomicData]) -> list[Evaluation]:
        """Run the model on one batch."""
        from mace.tools.torch_geometric.batch import Batch

        batch = Batch.from_data_list(graphs).to(self._info.device)
        out: dict[str, Any] = self._model(
            batch.to_dict(), training=False, compute_force=True, compute_stress=True
        )
        energies = out["energy"].detach().cpu().numpy().astype(float)
        forces = out["forces"].detach().cpu().numpy().astype(float)
        stresses = out["stress"].detach().cpu().numpy().astype(float)
        ends = batch.ptr.cpu().numpy()
        return [
            Evaluation(float(energies[i]), forces[ends[i] : ends[i + 1]], np.array(stresses[i]))
            for i in range(len(graphs))
        ]


def heads_of(model: torch.nn.Module) -> tuple[str, ...]:
    """Return the names of the heads of a MACE; older ones have no names."""
    return tuple(getattr(model, "heads", None) or ("Default",))


def choose_head(name: str, heads: Sequence[str], head: str | None) -> str:
    """Return the head that is asked for, or the only one.

    Raises
    ------
    PotentialError
        If there is none of that name, or there are several and none is named.
    """
    if head is None and len(heads) > 1:
        raise PotentialError(
            f"potential '{name}' has several heads",
            "each was trained on other data and gives other phonons",
            f"name one with --head (head=...): {', '.join(heads)}",
        )
    if head is not None and head not in heads:
        raise PotentialError(
            f"potential '{name}' has no head '{head}'", f"its heads are {', '.join(heads)}"
        )
    return head or heads[0]
