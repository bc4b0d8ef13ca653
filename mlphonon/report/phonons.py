"""The figures of phonons: dispersion beside density of states, and thermal properties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlphonon.report.figures import plot_bands_dos, plot_thermal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mlphonon.phonons.phonons import Phonons


def plot_phonons(phonons: Phonons) -> Figure:
    """Draw dispersion and projected density of states, with the verdict; a committee as shades."""
    return plot_bands_dos(
        phonons.bands(),
        phonons.dos(projected=True),
        title=phonons.record.formula,
        note=phonons.trust.headline,
        spread=None if phonons.committee is None else phonons.committee.bands(),
    )


def plot_thermal_properties(phonons: Phonons) -> Figure:
    """Draw heat capacity, entropy and free energy against temperature."""
    return plot_thermal(
        phonons.thermal(),
        title=phonons.record.formula,
        spread=None if phonons.committee is None else phonons.committee.thermal(),
    )
