"""The shape of a MACE as JSON: with plain weights it is rebuilt without a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlphonon.errors import PotentialError
from mlphonon.io.atomic_files import write_whole

if TYPE_CHECKING:
    import torch


class MaceArchitecture(BaseModel):
    """All that must be known, beside the weights, to rebuild a ``ScaleShiftMACE``.

    Lengths in A, energies in eV. ``scale`` and ``shift`` act on the per-atom
    interaction energy; ``atomic_energies`` are the per-element references added to it,
    in the order of ``atomic_numbers``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    atomic_numbers: tuple[int, ...]
    atomic_energies: tuple[float, ...]
    avg_num_neighbors: float = Field(gt=0)
    scale: float = Field(gt=0)
    shift: float = 0.0
    r_max: float = Field(default=5.0, gt=0)
    num_bessel: int = Field(default=8, ge=1)
    num_polynomial_cutoff: int = Field(default=5, ge=2)
    max_ell: int = Field(default=2, ge=0)
    hidden_irreps: str = "64x0e"
    correlation: int = Field(default=3, ge=1)
    num_interactions: int = Field(default=2, ge=1)
    radial_mlp: tuple[int, ...] = (32, 32)
    readout_irreps: str = "16x0e"
    first_interaction: str = "RealAgnosticInteractionBlock"
    interaction: str = "RealAgnosticResidualInteractionBlock"
    distance_transform: str = "None"
    pair_repulsion: bool = False

    def build(self, dtype: str = "float64") -> torch.nn.Module:
        """Return a ``ScaleShiftMACE`` of this shape with freshly initialised weights.

        Parameters
        ----------
        dtype : {"float32", "float64"}
            Precision in which the constants (Clebsch-Gordan coefficients, normalisations)
            are computed. Casting a float32 model afterwards would keep float32 constants
            and break rotation symmetry at 1e-7.
        """
        import mace  # noqa: F401  must be imported before e3nn (torch.load of e3nn's constants)
        import numpy as np
        import torch
        from e3nn import o3
        from mace.modules import ScaleShiftMACE, interaction_classes

        previous = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            return ScaleShiftMACE(
                r_max=self.r_max,
                num_bessel=self.num_bessel,
                num_polynomial_cutoff=self.num_polynomial_cutoff,
                max_ell=self.max_ell,
                interaction_cls=interaction_classes[self.interaction],
                interaction_cls_first=interaction_classes[self.first_interaction],
                num_interactions=self.num_interactions,
                num_elements=len(self.atomic_numbers),
                hidden_irreps=o3.Irreps(self.hidden_irreps),
                MLP_irreps=o3.Irreps(self.readout_irreps),
                atomic_energies=np.array(self.atomic_energies),
                avg_num_neighbors=self.avg_num_neighbors,
                atomic_numbers=list(self.atomic_numbers),
                correlation=self.correlation,
                gate=torch.nn.functional.silu,
                radial_MLP=list(self.radial_mlp),
                distance_transform=self.distance_transform,
                pair_repulsion=self.pair_repulsion,
                atomic_inter_scale=self.scale,
                atomic_inter_shift=self.shift,
                use_reduced_cg=True,
            )
        finally:
            torch.set_default_dtype(previous)


def save_weights(model: torch.nn.Module, architecture: MaceArchitecture, folder: Path) -> None:
    """Write ``architecture.json`` and ``weights.safetensors`` (float32) into `folder`.

    Only trained parameters are stored; constants are recomputed by
    `MaceArchitecture.build` in the precision that is asked for.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    parameters = {
        name: value.detach().to(torch.float32).contiguous().clone()
        for name, value in model.named_parameters()
    }
    temporary = folder / "weights.safetensors.part"
    save_file(parameters, temporary)
    temporary.replace(folder / "weights.safetensors")
    write_whole(
        folder / "architecture.json", json.dumps(architecture.model_dump(), indent=1) + "\n"
    )


def load_weights(folder: Path, dtype: str = "float64") -> torch.nn.Module:
    """Rebuild the MACE that `save_weights` wrote into `folder`.

    Raises
    ------
    PotentialError
        If a file is missing, unreadable or does not fit the architecture.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        architecture = MaceArchitecture.model_validate_json(
            (folder / "architecture.json").read_text()
        )
        weights = load_file(folder / "weights.safetensors")
        model = architecture.build(dtype)
        own = dict(model.named_parameters())
        if own.keys() != weights.keys():
            raise ValueError(f"parameters {sorted(own.keys() ^ weights.keys())[:3]} do not match")
        missing = model.load_state_dict(weights, strict=False)
        if missing.unexpected_keys:
            raise ValueError(f"unexpected {missing.unexpected_keys[:3]}")
    except (OSError, ValueError, ValidationError, SafetensorError, RuntimeError) as error:
        raise PotentialError(
            f"cannot rebuild a MACE from {folder}",
            reason=str(error).splitlines()[0],
            fix="install mlphonon again, or bring weights.safetensors and architecture.json"
            " of the same training run",
        ) from error
    return model.eval()
