"""Figures of errors show the numbers that they are given."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection, QuadMesh
from matplotlib.figure import Figure

from mlphonon.report.accuracy.frequencies import (
    MOST_MODES,
    ModePairs,
    plot_cumulative_errors,
    plot_parity,
    plot_ratios,
)

NAMES = [
    "nequix-oam-1-pft",
    "mace-mp-0-medium",
    "mace-matpes-r2scan-0",
    "sevennet-l3i5",
    "orb-v3-conservative-inf-omat",
    "mattersim-v1-5m",
    "embedded",
    "chgnet",
]

THREE = ModePairs(
    dft=np.array([2.0, 4.0, 10.0]),
    ours=np.array([1.0, 4.0, 9.0]),
    weights=np.array([6.0, 1.0, 3.0]),
)
"""Slope (12 + 16 + 270) / (24 + 16 + 300) = 298 / 340, MAE (6 + 0 + 3) / 10."""


def soft(factor: float, n: int = 500, lowest: float = 0.0, seed: int = 0) -> ModePairs:
    """Modes up to 20 THz of a potential that has them all at `factor` of DFT's, but for noise."""
    random = np.random.default_rng(seed)
    dft = random.uniform(lowest, 20.0, n)
    ours = factor * dft + 0.02 * dft * random.standard_normal(n)
    return ModePairs(dft, ours, random.uniform(0.5, 2.0, n))


def notes(figure: Figure, panel: int = 0) -> list[str]:
    """Return what is written into a panel."""
    return [text.get_text() for text in figure.axes[panel].texts]


def test_half_of_the_crystals_lie_below_the_median() -> None:
    errors = {"good": np.array([0.1, -0.3, 0.2, 0.4]), "bad": np.array([1.0, 2.0])}
    (axes,) = plot_cumulative_errors(errors, "error (THz)").axes
    good, bad = axes.get_lines()[:2]
    np.testing.assert_allclose(good.get_xdata(), [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(good.get_ydata(), [25, 50, 75, 100])
    np.testing.assert_allclose(bad.get_ydata(), [50, 100])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["good (4)", "bad (2)"]
    assert axes.get_xscale() == "log"


def test_eight_potentials_differ_and_their_legend_is_clear_of_them() -> None:
    random = np.random.default_rng(0)
    errors = {name: random.lognormal(i / 2, 0.6, 50) for i, name in enumerate(NAMES)}
    figure = plot_cumulative_errors(errors, "error (THz)")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()[:8]}
    assert len(looks) == 8
    legend = axes.get_legend().get_window_extent()
    assert legend.x0 > axes.get_window_extent().x1
    assert legend.x1 <= figure.bbox.x1


@pytest.mark.parametrize("decades", [1, 2, 4, 7])
def test_numbers_at_the_logarithmic_axis_do_not_touch(decades: int) -> None:
    figure = plot_cumulative_errors({"one": np.logspace(-decades + 1, 1, 20)}, "error (THz)")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    labels = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    boxes = [label.get_window_extent() for place, label in labels if low <= place <= high]
    assert len(boxes) >= 2
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_slope_and_error_are_weighted() -> None:
    assert THREE.slope == pytest.approx(298 / 340)
    assert THREE.mae == pytest.approx(0.9)
    figure = plot_parity({"one": THREE})
    assert notes(figure) == ["slope 0.88", "MAE 0.90 THz"]
    equal, slope = figure.axes[0].get_lines()
    np.testing.assert_allclose(equal.get_xdata(), equal.get_ydata())
    np.testing.assert_allclose(slope.get_ydata(), 298 / 340 * np.array(slope.get_xdata()))


def test_modes_lie_in_the_bins_of_their_frequencies() -> None:
    figure = plot_parity({"one": THREE})
    (mesh,) = (child for child in figure.axes[0].collections if isinstance(child, QuadMesh))
    corners = mesh.get_coordinates()
    shares = mesh.get_array().reshape(corners.shape[0] - 1, -1)
    found = {(i, j): float(shares[i, j]) for i, j in zip(*np.nonzero(~shares.mask), strict=True)}
    assert sorted(found.values()) == pytest.approx([10, 30, 60])
    for (i, j), share in found.items():
        which = int(np.flatnonzero(THREE.weights == round(share / 10))[0])
        left, bottom = corners[i, j]
        right, top = corners[i + 1, j + 1]
        assert left <= THREE.dft[which] < right
        assert bottom <= THREE.ours[which] < top


@pytest.mark.parametrize("n", range(1, 9))
def test_parity_has_a_square_panel_for_each_potential(n: int) -> None:
    pairs = {name: soft(1 - 0.05 * i, lowest=-2.0, seed=i) for i, name in enumerate(NAMES[:n])}
    figure = plot_parity(pairs)
    figure.draw_without_rendering()
    *panels, _bar = figure.axes
    assert [ax.get_title(loc="left") for ax in panels] == NAMES[:n]
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in panels}) == 1
    boxes = [ax.get_tightbbox() for ax in panels]
    for i, (ax, box) in enumerate(zip(panels, boxes, strict=True)):
        assert ax.bbox.width == pytest.approx(ax.bbox.height)
        assert ax._left_title.get_window_extent().width <= 1.02 * ax.bbox.width
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_imaginary_modes_of_either_side_are_seen() -> None:
    plain = plot_parity({"a": soft(0.9)})
    assert plain.axes[0].get_xlim()[0] == 0
    assert "imaginary" not in notes(plain)
    modes = np.array([3.0, 5.0]), np.array([-2.0, 5.0])
    for dft, ours in (modes, modes[::-1]):
        figure = plot_parity({"a": soft(0.9), "b": ModePairs(dft, ours, np.ones(2))})
        assert figure.axes[0].get_xlim()[0] < -2
        assert figure.axes[1].get_ylim()[0] < -2
        assert "imaginary" in notes(figure, 1)


def weighted_quantile(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Return the first value, in ascending order, at which the weight reaches `share`."""
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.argmax(reached >= share)])


def test_median_and_quartiles_are_weighted_and_of_modes_that_count() -> None:
    random = np.random.default_rng(0)
    dft = np.concatenate([np.full(300, 0.5), random.uniform(1.5, 20, 400)])
    ratios = np.concatenate([np.full(300, 3.0), random.normal(0.9, 0.05, 400)])
    weights = np.where(ratios < 0.88, 5.0, 1.0)
    figure = plot_ratios({"other": soft(1.0), "one": ModePairs(dft, ratios * dft, weights)})
    (ax,) = figure.axes
    expected = [weighted_quantile(ratios[300:], weights[300:], p) for p in (0.25, 0.5, 0.75)]
    assert abs(expected[1] - np.median(ratios[300:])) > 0.01
    (bar,) = (x for x in ax.lines if len(x.get_xdata()) == 2 and list(x.get_ydata()) == [1, 1])
    (dot,) = (x for x in ax.lines if len(x.get_xdata()) == 1 and x.get_ydata()[0] == 1)
    assert [*bar.get_xdata(), *dot.get_xdata()] == pytest.approx(
        [expected[0], expected[2], expected[1]]
    )
    assert f"{expected[1]:.3f}" in notes(figure)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["other", "one"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first stands on top


def outline(figure: Figure, place: int) -> np.ndarray:
    """Return the corners of a violin, shape (n, 2)."""
    violins = [x for x in figure.axes[0].collections if isinstance(x, FillBetweenPolyCollection)]
    return violins[place].get_paths()[0].vertices


def test_violin_follows_the_weights() -> None:
    """Two heaps of equal number, one of them three times as heavy."""
    random = np.random.default_rng(0)
    heaps = np.concatenate([random.normal(0.8, 0.01, 500), random.normal(1.0, 0.01, 500)])
    weights = np.repeat([1.0, 3.0], 500)
    figure = plot_ratios({"one": ModePairs(np.full(1000, 5.0), 5 * heaps, weights)})
    x, y = outline(figure, 0).T
    light, heavy = (y[np.abs(x - at) < 0.05].max() for at in (0.8, 1.0))
    assert heavy == pytest.approx(0.42, abs=1e-3)
    assert light == pytest.approx(heavy / 3, rel=0.1)
    assert y[np.abs(x - 0.9) < 0.02].max() < 0.2 * light


def test_many_modes_give_the_same_violin_every_time() -> None:
    many = soft(0.9, n=2 * MOST_MODES)
    first, second = (outline(plot_ratios({"one": many}), 0) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    few = outline(plot_ratios({"one": soft(0.9, n=MOST_MODES, seed=1)}), 0)
    top = [points[points[:, 1].argmax(), 0] for points in (first, few)]
    assert top == pytest.approx([0.9, 0.9], abs=0.01)


def test_a_few_wild_modes_do_not_set_the_range_or_the_width() -> None:
    calm = soft(0.95, n=4000)
    ours = calm.ours.copy()
    ours[np.flatnonzero(calm.dft > 2)[:10]] *= -8
    wild = ModePairs(calm.dft, ours, calm.weights)
    low, high = plot_ratios({"one": wild}).axes[0].get_xlim()
    assert 0.8 < low < 0.9 < 1.0 < high < 1.1
    x, y = outline(plot_ratios({"one": wild}), 0).T
    assert np.ptp(x[y > 0.21]) == pytest.approx(2.355 * 0.02, rel=0.15)  # of a Gaussian


def test_a_perfect_potential_is_drawn() -> None:
    one = np.linspace(2, 8, 20)
    figure = plot_ratios({"perfect": ModePairs(one, one, np.ones(20))})
    assert "1.000" in notes(figure)
    low, high = figure.axes[0].get_xlim()
    assert low < 1 < high
    assert notes(plot_parity({"perfect": ModePairs(one, one, np.ones(20))}))[0] == "slope 1.00"


def test_what_cannot_be_drawn_is_refused() -> None:
    for plot in (plot_parity, plot_ratios):
        with pytest.raises(ValueError, match="empty"):
            plot({})
    with pytest.raises(ValueError, match=r"slow: no mode of DFT is above 1.0 THz"):
        plot_ratios({"slow": ModePairs(np.full(3, 0.9), np.ones(3), np.ones(3))})


@pytest.mark.parametrize(
    ("shapes", "weight"), [((3, 2, 3), 1.0), ((0, 0, 0), 1.0), ((3, 3, 3), 0.0), ((3, 3, 3), -1.0)]
)
def test_modes_that_are_no_pairs_are_refused(shapes: tuple[int, int, int], weight: float) -> None:
    dft, ours, weights = (np.ones(n) for n in shapes)
    with pytest.raises(ValueError, match="modes"):
        ModePairs(dft, ours, weight * weights)


def test_neither_pyplot_nor_torch_is_loaded() -> None:
    script = """
import sys
import mlphonon.report.accuracy.frequencies as a, mlphonon.report.accuracy.worst
import mlphonon.report.elements as e
assert not {"matplotlib", "scipy", "torch"} & set(sys.modules)
import numpy as np
one = np.linspace(2, 8, 20)
pairs = {"one": a.ModePairs(one, 0.9 * one + 0.01 * one**2, one)}
a.plot_parity(pairs), a.plot_ratios(pairs), e.plot_by_element({"H": 1.0}, {"H": 1}, "", "error")
assert not {"matplotlib.pyplot", "torch"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
