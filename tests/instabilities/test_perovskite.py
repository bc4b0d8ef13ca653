"""A perovskite from its cubic phase to the one that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlphonon import compute_phonons, explain_imaginary_modes
from mlphonon.potentials.potential import Potential

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_calcium_titanate_ends_in_its_own_phase(embedded: Potential) -> None:
    """By rotations about two axes (R), then about the third: Pnma, which no mode has alone."""
    phonons = compute_phonons(EXAMPLES / "CaTiO3.cif", embedded, min_length=7.5, mesh=40)
    explanation = explain_imaginary_modes(phonons, embedded)
    causes = {mode.label: mode.cause for mode in reversed(explanation.modes)}
    assert causes["R"] == causes["M"] == "instability"
    assert causes["GAMMA"] == "saddle"
    for mode in explanation.modes:
        assert mode.commensurate
        assert mode.measured_THz == pytest.approx(mode.frequency_THz, abs=0.05)
    found = explanation.ground_state
    assert found.spacegroup == "Pnma (62)"
    assert found.n_atoms == 20
    assert found.energy_meV_per_atom < -30
    assert {"I4/mcm (140)", "Imma (74)"} <= {member.spacegroup for member in explanation.family}
