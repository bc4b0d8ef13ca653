"""Figure of what imaginary modes lead to: the energy along each, and the family of crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.report.panels import HAIRLINE, INK, PALETTE, QUIET, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from mlphonon.instabilities.explanation import Explanation, Member

ROW = 0.34
"""Inches for each member of the family."""


def plot_family(explanation: Explanation) -> Figure:
    """Draw the wells along the modes that were followed, and the family they lead to.

    Parameters
    ----------
    explanation : Explanation
        With a family.

    Returns
    -------
    matplotlib.figure.Figure
        7 inches wide.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    members = _in_order(explanation)
    with house_style():
        layout = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.04, wspace=0.03)
        figure = Figure(figsize=(7.0, max(3.0, 1.0 + ROW * len(members))), layout=layout)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
        wells = [member for _, member in members if member.well is not None]
        colours = {
            member.name: PALETTE[i % len(PALETTE)] if i < len(PALETTE) else QUIET
            for i, member in enumerate(wells)
        }
        _draw_wells(left, wells, colours)
        _draw_tree(right, members, colours)
    return figure


def _in_order(explanation: Explanation) -> list[tuple[int, Member]]:
    """Return every member with its depth in the tree, children below their parents."""
    found: list[tuple[int, Member]] = []

    def walk(member: Member, depth: int) -> None:
        found.append((depth, member))
        for child in explanation.children(member.name):
            walk(child, depth + 1)

    walk(explanation.family[0], 0)
    return found


def _draw_wells(ax: Axes, wells: list[Member], colours: dict[str, str]) -> None:
    """Draw energy against amplitude, both for each atom of the cell, with the fits."""
    for member in wells:
        well, colour = member.well, colours[member.name]
        if well is None:
            continue
        root, n = np.sqrt(well.n_atoms), well.n_atoms
        amplitudes = np.array(well.amplitudes)
        fine = np.linspace(amplitudes.min(), amplitudes.max(), 201)
        curve = sum(c * fine**power for power, c in well.coefficients_meV.items())
        ax.plot(fine / root, curve / n, color=colour, lw=1.1, zorder=2)
        ax.plot(
            amplitudes / root,
            np.array(well.energies_meV) / n,
            "o",
            ms=2.6,
            color=colour,
            mew=0,
            zorder=3,
        )
    ax.axhline(0, color=HAIRLINE, lw=0.8, zorder=1)
    deepest = max(member.well.depth_meV_per_atom for member in wells if member.well is not None)
    # Energies far above the crystal say nothing of the wells.
    ax.set_ylim(-1.25 * deepest, 0.5 * deepest)
    ax.set_xlabel(r"$Q/\sqrt{N}$ (Å amu$^{1/2}$)")
    ax.set_ylabel("Energy (meV/atom)")
    ax.set_title("Along the modes", loc="left")


def _draw_tree(ax: Axes, members: list[tuple[int, Member]], colours: dict[str, str]) -> None:
    """Write the members below each other, each as far right as its generation."""
    rows = {member.name: i for i, (_, member) in enumerate(members)}
    for i, (depth, member) in enumerate(members):
        x = 0.05 * depth
        if member.parent is not None:
            above = rows[member.parent]
            ax.plot([x - 0.04, x - 0.04, x - 0.01], [above + 0.3, i, i], color=HAIRLINE, lw=0.9)
        colour = colours.get(member.name, INK)
        by = f" by {member.mode.replace('GAMMA', 'Γ')}" if member.mode else ""
        ax.text(x, i, f"{member.spacegroup}{by}", va="center", color=colour, fontsize=8)
        ax.text(1.0, i, _words(member), va="center", ha="right", color=QUIET, fontsize=7.5)
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(len(members) - 0.4, -0.7)
    ax.set_axis_off()
    ax.set_title("Where they lead", loc="left")


def _words(member: Member) -> str:
    remarks = []
    if member.parent is not None and member.energy_meV_per_atom is not None:
        remarks.append(f"{member.energy_meV_per_atom:+.1f} meV/atom")
    if member.stable is not None:
        remarks.append("stable" if member.stable else "unstable")
    elif member.note:
        remarks.append("seen before" if member.note.startswith("the same") else "no phonons")
    return ", ".join(remarks)
