"""The shape of a MACE as JSON: with plain weights it is rebuilt without a pickle."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from mlphonon.errors import PotentialError, first_fault, first_line
from mlphonon.io.atomic_files import atomic_file, write_whole

if TYPE_CHECKING:
    import torch

FILE = "architecture.json"
"""Name of the file beside the weights."""

WEIGHTS = "weights.safetensors"
"""Name of the file with the weights."""

MAX_FILE_BYTES = 1_000_000
"""Of `FILE`; 89 elements take 4 kB."""

MAX_COUPLING = 10_000
"""Most products of spherical harmonics, ``(max_ell + 1)^(2 correlation)``: their coupling
coefficients are tables with a row for each. 4,096 (degree 3, correlation 3, the most in use) take
0.2 GB while they are built, 65,536 (degree 3, correlation 4) take 10 GB."""

MAX_ELEMENT_WEIGHTS = 25_000_000
"""Most weights of one layer's map that each element has of its own: channels squared, times
elements. The largest models in use have 5 million."""

Irreps = Annotated[
    str, Field(pattern=r"^ *[0-9]{1,4}x[0-4][eo]( *\+ *[0-9]{1,4}x[0-4][eo]){0,9} *$")
]
"""Features by degree and parity, such as ``"64x0e + 64x1o"``."""

Interaction = Literal[
    "RealAgnosticInteractionBlock",
    "RealAgnosticResidualInteractionBlock",
    "RealAgnosticAttResidualInteractionBlock",
    "RealAgnosticDensityInteractionBlock",
    "RealAgnosticDensityResidualInteractionBlock",
    "RealAgnosticResidualNonLinearInteractionBlock",
]


class MaceArchitecture(BaseModel):
    """All that must be known, beside the weights, to rebuild a ``ScaleShiftMACE``.

    Lengths in A, energies in eV. ``scale`` and ``shift`` act on the per-atom
    interaction energy; ``atomic_energies`` are the per-element references added to it,
    in the order of ``atomic_numbers``. Sizes have bounds, since the file may come from anybody.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    atomic_numbers: tuple[Annotated[int, Field(ge=1, le=118)], ...] = Field(min_length=1)
    atomic_energies: tuple[float, ...]
    avg_num_neighbors: float = Field(gt=0)
    scale: float = Field(gt=0)
    shift: float = 0.0
    r_max: float = Field(default=5.0, gt=0, le=20)
    num_bessel: int = Field(default=8, ge=1, le=64)
    num_polynomial_cutoff: int = Field(default=5, ge=2, le=20)
    max_ell: int = Field(default=2, ge=1, le=8)
    hidden_irreps: Irreps = "64x0e"
    correlation: int = Field(default=3, ge=1, le=6)
    num_interactions: int = Field(default=2, ge=1, le=6)
    radial_mlp: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(
        default=(32, 32), min_length=1, max_length=6
    )
    readout_irreps: Irreps = "16x0e"
    first_interaction: Interaction = "RealAgnosticInteractionBlock"
    interaction: Interaction = "RealAgnosticResidualInteractionBlock"
    distance_transform: Literal["None", "Agnesi", "Soft"] = "None"
    pair_repulsion: bool = False

    @field_validator("atomic_numbers")
    @classmethod
    def _check_elements(cls, numbers: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(numbers)) < len(numbers):
            raise ValueError("an element is named twice")
        return numbers

    @model_validator(mode="after")
    def _check_sizes(self) -> MaceArchitecture:
        if len(self.atomic_energies) != len(self.atomic_numbers):
            raise ValueError(
                f"{len(self.atomic_energies)} atomic_energies for {len(self.atomic_numbers)}"
                " atomic_numbers"
            )
        coupling = (self.max_ell + 1) ** (2 * self.correlation)
        if coupling > MAX_COUPLING:
            raise ValueError(
                f"max_ell {self.max_ell} with correlation {self.correlation} needs tables of"
                f" {coupling} products, and {MAX_COUPLING} are allowed"
            )
        own = len(self.atomic_numbers) * sum(n**2 for n in self._channels())
        if own > MAX_ELEMENT_WEIGHTS or max(self._channels()) > 1024:
            raise ValueError(
                f"hidden_irreps '{self.hidden_irreps}' is too large for"
                f" {len(self.atomic_numbers)} elements"
            )
        return self

    def _channels(self) -> list[int]:
        """Return how many hidden features there are of each degree and parity."""
        return [int(n) for n in re.findall(r"(\d+)x", self.hidden_irreps)]

    @property
    def least_weights(self) -> int:
        """How many weights there are at least: each layer maps scalars, element by element."""
        scalars = sum(int(n) for n in re.findall(r"(\d+)x0e", self.hidden_irreps))
        return self.num_interactions * len(self.atomic_numbers) * scalars**2

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

    Raises
    ------
    OSError
        If a file cannot be written.
    """
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    parameters = {
        name: value.detach().to(torch.float32).contiguous().clone()
        for name, value in model.named_parameters()
    }
    with atomic_file(folder / WEIGHTS) as part:
        save_file(parameters, part)
    write_whole(folder / FILE, json.dumps(architecture.model_dump(), indent=1) + "\n")


def read_architecture(path: Path) -> MaceArchitecture:
    """Read what `save_weights` wrote, or somebody else: nothing is built yet.

    Raises
    ------
    PotentialError
        If it cannot be read, or no model is built of such sizes.
    """
    fix = "install mlphonon again, or bring both files of the same training run"
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PotentialError(f"{path} has more than {MAX_FILE_BYTES} bytes", fix=fix)
        return MaceArchitecture.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise PotentialError(
            f"{path} describes no MACE that is built here", first_fault(error), fix
        ) from error
    except OSError as error:
        raise PotentialError(f"cannot read {path}", error.strerror or str(error), fix) from error


def load_weights(folder: Path, dtype: str = "float64") -> torch.nn.Module:
    """Rebuild the MACE that `save_weights` wrote into `folder`.

    Raises
    ------
    PotentialError
        If a file is missing, unreadable or does not fit the other.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    architecture = read_architecture(folder / FILE)
    try:
        # A few bytes must not ask for gigabytes: what is built is about as large as the file.
        if (folder / WEIGHTS).stat().st_size < 4 * architecture.least_weights:
            raise ValueError(f"{WEIGHTS} holds fewer weights than {FILE} asks for")
        weights = load_file(folder / WEIGHTS)
        model = architecture.build(dtype)
        own = dict(model.named_parameters())
        if own.keys() != weights.keys():
            raise ValueError(f"parameters {sorted(own.keys() ^ weights.keys())[:3]} do not match")
        model.load_state_dict(weights, strict=False)
    # What a shape that nobody tried makes of mace and e3nn is theirs to choose.
    except (
        OSError,
        ArithmeticError,
        LookupError,
        RuntimeError,
        SafetensorError,
        TypeError,
        ValueError,
    ) as error:
        raise PotentialError(
            f"cannot rebuild a MACE from {folder}",
            first_line(error),
            f"install mlphonon again, or bring {WEIGHTS} and {FILE} of the same training run",
        ) from error
    return model.eval()
