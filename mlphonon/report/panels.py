"""Single panels on given axes, and the typography that all figures share."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mlphonon.phonons.results import (
    BandSpread,
    BandStructure,
    DensityOfStates,
    ThermalProperties,
    ThermalSpread,
)
from mlphonon.units import CM_PER_THZ, GAS_CONSTANT

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DULONG_PETIT = 3 * GAS_CONSTANT
"""Classical limit of C_V, J/K per mole of atoms."""

# Above this a negative frequency is the noise of the acoustic branches at GAMMA, about 2 1/cm.
IMAGINARY_BELOW = -0.05
# Smearing gives a density tails that no mode stands behind; they hold fewer states than this.
TAIL = 0.005

# Okabe and Ito, https://jfly.uni-koeln.de/color: told apart with any colour vision.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LINE_STYLES = ("-", "--", ":", "-.")
SHADE = "#c3dbeb"
"""The first colour of the palette, pale: what lies within a standard deviation."""
INK, QUIET, HAIRLINE, FILL, WARNING = "#1a1a1a", "#777777", "#c4c4c4", "#e3e6ea", "#d9534f"

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 8.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "legend.handlelength": 1.3,
    "legend.handletextpad": 0.35,
    "legend.borderaxespad": 0.2,
    "legend.borderpad": 0.1,
    "svg.hashsalt": "mlphonon",
}

_GREEK = {
    "GAMMA": "\N{GREEK CAPITAL LETTER GAMMA}",
    "DELTA": "\N{GREEK CAPITAL LETTER DELTA}",
    "LAMBDA": "\N{GREEK CAPITAL LETTER LAMDA}",
    "SIGMA": "\N{GREEK CAPITAL LETTER SIGMA}",
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw the same figure whatever the user's matplotlibrc says, and leave that untouched."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def point_label(name: str) -> str:
    r"""Return the name of a high-symmetry point as it is printed.

    Parameters
    ----------
    name : str
        As seekpath (``"GAMMA"``, ``"SIGMA_0"``), ASE (``"X1"``) or phonopy
        (``r"$\mathrm{H_2}$"``) writes it.

    Returns
    -------
    str
        Greek letter where one is named, index as a subscript, prime as a prime.
    """
    bare = re.sub(r"\\mathrm|\\mathit|[${}\\]", "", name).strip()
    found = re.fullmatch(r"([^\W\d_]+)_?(\w*)('*)", bare)
    if found is None:
        return bare
    stem, index, primes = found.groups()
    text = _GREEK.get(stem.upper(), stem) + "\N{PRIME}" * len(primes)
    return f"{text}$_{{\\mathrm{{{index}}}}}$" if index else text


def crystal_title(title: str) -> str:
    """Return `title` with the numbers in its chemical formulae lowered: Al2O3, but not PBE0."""
    from ase.data import chemical_symbols

    element = "|".join(sorted(chemical_symbols[1:], key=len, reverse=True))
    # Two elements at least, so that "K2" or "V2" may still be a version or a point.
    formula = rf"(?<![\w-])(?:\(*(?:{element})[\d()]*){{2,}}(?![\w-])"
    return re.sub(formula, lambda found: re.sub(r"(\d+)", r"$_{\1}$", found[0]), title)


def path_ticks(bands: BandStructure) -> tuple[list[float], list[str]]:
    """Return where pieces of the path meet and what is written there, ``"U|K"`` at a jump."""
    names = [(point_label(first), point_label(last)) for first, last in bands.labels]
    labels = [names[0][0]]
    for (_, end), (start, _) in itertools.pairwise(names):
        labels.append(end if end == start else f"{end}|{start}")
    places = [float(bands.distances[0][0]), *(float(piece[-1]) for piece in bands.distances)]
    return places, [*labels, names[-1][1]]


def frequency_limits(
    bands: Sequence[BandStructure], dos: DensityOfStates | None
) -> tuple[float, float]:
    """Return the range of the frequency axis, THz; it starts at 0 unless modes are imaginary."""
    lows = [float(piece.min()) for each in bands for piece in each.frequencies]
    highs = [float(piece.max()) for each in bands for piece in each.frequencies]
    if dos is not None:
        steps = np.diff(dos.frequencies) * (dos.total[1:] + dos.total[:-1]) / 2
        share = np.append(0.0, np.cumsum(steps)) / steps.sum()
        low, high = np.interp([TAIL, 1 - TAIL], share, dos.frequencies)
        lows.append(float(low))
        highs.append(float(high))
    top = 1.05 * max(highs)
    lowest = min(lows)
    if lowest >= IMAGINARY_BELOW:
        return 0.0, top
    return min(1.08 * lowest, -0.09 * (top - lowest)), top  # room for the word "imaginary"


def draw_bands(
    ax: Axes, bands: BandStructure, *, colour: str = PALETTE[0], label: str | None = None
) -> None:
    """Draw the dispersion with its ticks and hairlines; the frequency range is left as it is."""
    places, labels = path_ticks(bands)
    for distance, frequency in zip(bands.distances, bands.frequencies, strict=True):
        lines = ax.plot(distance, frequency, color=colour, lw=1.1, zorder=2)
        lines[0].set_label(label or "_")
        label = None
    for place in places[1:-1]:
        ax.axvline(place, color=HAIRLINE, lw=0.5, zorder=1)
    ax.set_xlim(places[0], places[-1])
    ax.set_xticks(places, labels)
    ax.tick_params(axis="x", length=0)


def draw_reference(ax: Axes, bands: BandStructure, reference: BandStructure, label: str) -> None:
    """Draw `reference` dashed over `bands`, each piece stretched to the length of the other's.

    Two lattice constants give two lengths of the same piece, which would put the same q-point
    at two places.

    Raises
    ------
    ValueError
        If the two do not follow the same path.
    """
    if path_ticks(bands)[1] != path_ticks(reference)[1]:
        raise ValueError(
            f"the reference follows another path, {reference.labels} instead of {bands.labels}; "
            "compute it along the same one"
        )
    for own, other, frequency in zip(
        bands.distances, reference.distances, reference.frequencies, strict=True
    ):
        place = np.interp(other, [other[0], other[-1]], [own[0], own[-1]])
        lines = ax.plot(place, frequency, color=INK, lw=0.8, ls=(0, (3.2, 2.2)), zorder=3)
        lines[0].set_label(label or "_")
        label = ""


def edges_of(spread: BandSpread) -> list[BandStructure]:
    """Return the mean less, and more, one standard deviation."""
    means = spread.mean.frequencies
    return [
        replace(
            spread.mean,
            frequencies=tuple(m + sign * s for m, s in zip(means, spread.std, strict=True)),
        )
        for sign in (-1, 1)
    ]


def spread_label(n: int) -> str:
    """Return what a shade is, for a legend."""
    return f"mean \N{PLUS-MINUS SIGN} 1 std of {n} potentials"


def draw_spread(ax: Axes, spread: BandSpread, *, colour: str = SHADE) -> None:
    """Shade one standard deviation about the mean of each band.

    Opaque: where bands meet, two translucent shades would look like a larger spread.
    """
    label: str | None = spread_label(len(spread.members))
    low, high = edges_of(spread)
    for x, bottom, top in zip(low.distances, low.frequencies, high.frequencies, strict=True):
        for one, other in zip(bottom.T, top.T, strict=True):
            ax.fill_between(x, one, other, color=colour, lw=0, zorder=0.9, label=label)
            label = None


def draw_thermal_spread(
    ax: Axes, spread: ThermalSpread, name: str, colour: str, label: str | None = None
) -> None:
    """Shade one standard deviation about the mean of a property, per mole of atoms."""
    mean, std = (getattr(part, name) / spread.mean.n_atoms for part in (spread.mean, spread.std))
    low, high = mean - std, mean + std
    x = spread.mean.temperatures
    ax.fill_between(x, low, high, color=colour, alpha=0.25, lw=0, zorder=2, label=label)


def draw_dos(
    ax: Axes, dos: DensityOfStates, *, fill: str | tuple[str, float] = FILL, edge: str = QUIET
) -> None:
    """Draw the total density as an area on a vertical frequency axis, whose range must be set."""
    low, high = ax.get_ylim()
    seen = (dos.frequencies >= low) & (dos.frequencies <= high)
    ax.fill_betweenx(dos.frequencies, dos.total, color=fill, lw=0, zorder=1.5)
    ax.plot(dos.total, dos.frequencies, color=edge, lw=0.7, zorder=2, label="total")
    ax.set_xlim(0, 1.08 * float(dos.total[seen].max()))


def draw_elements(ax: Axes, dos: DensityOfStates) -> None:
    """Draw the share of each element, where there are several, and name them above the axes."""
    if dos.projected is None or len(set(dos.symbols)) == 1:
        return
    colours = itertools.cycle(PALETTE[1:])
    for i, (symbol, density) in enumerate(dos.by_element().items()):
        style = LINE_STYLES[i // (len(PALETTE) - 1) % len(LINE_STYLES)]
        ax.plot(density, dos.frequencies, color=next(colours), ls=style, lw=1.0, label=symbol)
    handles, labels = ax.get_legend_handles_labels()
    legend_above(ax, handles[1:] + handles[:1], labels[1:] + labels[:1])


def legend_above(ax: Axes, handles: Sequence[Artist], labels: Sequence[str]) -> None:
    """Put a legend over the axes, flush right, where no curve can pass through it."""
    ax.legend(
        handles,
        labels,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=min(4, len(labels)),
        handlelength=0.8,
        columnspacing=0.7,
    )


def mark_imaginary(axes: Sequence[Axes]) -> None:
    """Tint what lies below zero on axes that share a frequency axis, and name it on the last."""
    low, _ = axes[-1].get_ylim()
    if low >= 0:
        return
    for ax in axes:
        ax.axhspan(low, 0, color=WARNING, alpha=0.08, lw=0, zorder=0)
        ax.axhline(0, color=QUIET, lw=0.5, zorder=1)
    axes[-1].annotate(
        "imaginary",
        (1.0, 0.0),
        xytext=(-3, 3),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=7.5,
        fontstyle="italic",
        color=WARNING,
        bbox={"facecolor": "#fcf3f2", "edgecolor": "none", "alpha": 0.7, "pad": 0.8},
        zorder=5,
    )


def wavenumber_axis(ax: Axes) -> None:
    """Repeat the frequency axis in 1/cm on the right, in a quiet colour."""

    def to_wavenumber(frequency: Any) -> Any:
        return frequency * CM_PER_THZ

    def to_frequency(wavenumber: Any) -> Any:
        return wavenumber / CM_PER_THZ

    right = ax.secondary_yaxis("right", functions=(to_wavenumber, to_frequency))
    right.set_ylabel("Wavenumber (cm$^{-1}$)", color=QUIET)
    right.tick_params(axis="y", colors=QUIET)
    right.spines["right"].set_color(QUIET)


def draw_heat_capacity(
    ax: Axes, thermal: ThermalProperties, *, colour: str = PALETTE[0], label: str = "$C_V$"
) -> None:
    """Draw C_V in J/K per mole of atoms."""
    per_atom = thermal.heat_capacity / thermal.n_atoms
    ax.plot(thermal.temperatures, per_atom, color=colour, lw=1.4, label=label, zorder=3)


def mark_dulong_petit(ax: Axes, side: str = "left") -> None:
    """Draw the classical limit of C_V and name it above the line, at its left or right end."""
    ax.axhline(DULONG_PETIT, color=QUIET, ls=(0, (4, 3)), lw=0.8, zorder=1, label="_3R")
    ax.annotate(
        f"Dulong\N{EN DASH}Petit, 3$R$ = {DULONG_PETIT:.2f}",
        (0.0 if side == "left" else 1.0, DULONG_PETIT),
        xytext=(4 if side == "left" else -4, 2.5),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha=side,
        va="bottom",
        fontsize=8,
        color=QUIET,
    )


def separate_tick_labels(figure: Figure, axes: Sequence[Axes]) -> None:
    """Lower each label of a path that would touch its left neighbour to a line of its own."""
    figure.draw_without_rendering()
    gap = 1.5 * figure.dpi / 72
    for ax in axes:
        ends: list[float] = []
        texts = []
        for label in ax.get_xticklabels():
            box = label.get_window_extent()
            row = next((i for i, end in enumerate(ends) if box.x0 > end + gap), len(ends))
            ends[row : row + 1] = [box.x1]
            texts.append("\n" * row + label.get_text())
        ax.set_xticks(ax.get_xticks(), texts)
