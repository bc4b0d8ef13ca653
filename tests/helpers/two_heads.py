"""A MACE of Na and Cl with two heads, each with readouts, energies and scale of its own."""

from __future__ import annotations

import numpy as np
import torch

from tests.helpers.tiny_mace import TINY

HEADS = ("pbe", "r2scan")


def two_head_model() -> torch.nn.Module:
    """As those that mace trains on several data sets; weights at random, the same every time."""
    import mace  # noqa: F401  before e3nn
    from e3nn import o3
    from mace.modules import ScaleShiftMACE, interaction_classes

    torch.manual_seed(3)
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return ScaleShiftMACE(
            r_max=TINY.r_max,
            num_bessel=TINY.num_bessel,
            num_polynomial_cutoff=TINY.num_polynomial_cutoff,
            max_ell=TINY.max_ell,
            interaction_cls=interaction_classes[TINY.interaction],
            interaction_cls_first=interaction_classes[TINY.first_interaction],
            num_interactions=TINY.num_interactions,
            num_elements=2,
            hidden_irreps=o3.Irreps(TINY.hidden_irreps),
            MLP_irreps=o3.Irreps(TINY.readout_irreps),
            atomic_energies=np.array([[-1.0, -2.0], [-1.5, -2.5]]),
            avg_num_neighbors=TINY.avg_num_neighbors,
            atomic_numbers=list(TINY.atomic_numbers),
            correlation=TINY.correlation,
            gate=torch.nn.functional.silu,
            radial_MLP=list(TINY.radial_mlp),
            atomic_inter_scale=[20.0, 30.0],
            atomic_inter_shift=[0.0, 0.1],
            heads=list(HEADS),
        )
    finally:
        torch.set_default_dtype(previous)
