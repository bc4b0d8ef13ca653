"""The worst crystals: DFT where it was computed, the potential as lines."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mlphonon.evaluation.bands import ReferencePoints
from mlphonon.phonons.results import BandStructure
from mlphonon.report.accuracy.worst import WorstCase, plot_worst


def chain(top: float = 8.0, lowest: float = 0.0) -> BandStructure:
    """Two bands along two pieces with a jump, the highest at `top` THz."""
    t = np.linspace(0, 1, 11)
    frequency = np.stack([top / 2 * np.sin(np.pi * t / 2) + lowest, np.full(11, top)], axis=1)
    return BandStructure(
        segments=tuple(np.outer(t, [0.5, 0, 0.5]) for _ in range(2)),
        distances=(t, 1 + t),
        frequencies=(frequency, frequency + 0.1),
        labels=(("GAMMA", "X"), ("U", "GAMMA")),
    )


def dense(bands: BandStructure, shift: float = 1.0) -> ReferencePoints:
    """DFT at every point of the path."""
    return ReferencePoints(
        np.concatenate(bands.distances), np.concatenate(bands.frequencies) + shift
    )


MESH = ReferencePoints(np.array([0.0, 0.25, 1.5]), np.array([[0.0, 9.5], [1.0, 9.0], [3.0, 8.5]]))


def curves(ax: Axes, style: str) -> list[Line2D]:
    """Return lines of a style, without the hairlines that have two points."""
    return [
        line for line in ax.lines if line.get_linestyle() == style and len(line.get_xdata()) > 2
    ]


def legend(items: list[WorstCase]) -> list[str]:
    """Return the entries of the one legend."""
    (found,) = plot_worst(items).legends
    return [text.get_text() for text in found.get_texts()]


def test_a_mesh_is_drawn_as_dots_where_it_is() -> None:
    (ax,) = plot_worst([WorstCase("NaCl", chain(), MESH, 0.5)]).axes
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(dots) == 2
    for band, line in enumerate(dots):
        assert line.get_linestyle() == "None"
        np.testing.assert_array_equal(line.get_xdata(), MESH.distances)
        np.testing.assert_array_equal(line.get_ydata(), MESH.frequencies[:, band])
    assert ax.get_ylim()[1] > 9.5
    assert not curves(ax, "--")


def test_a_whole_path_is_dashed_and_does_not_cross_the_jump() -> None:
    bands = chain()
    (ax,) = plot_worst([WorstCase("NaCl", bands, dense(bands), 0.5)]).axes
    solid, dashed = curves(ax, "-"), curves(ax, "--")
    assert len(solid) == len(dashed) == 4
    for own, other in zip(solid, dashed, strict=True):
        np.testing.assert_allclose(own.get_xdata(), other.get_xdata())
        np.testing.assert_allclose(np.array(own.get_ydata()) + 1, other.get_ydata())
    assert ax.get_ylim()[1] > 9.1
    assert not [line for line in ax.lines if line.get_marker() == "o"]


def test_without_dft_there_is_the_potential() -> None:
    nothing = ReferencePoints(np.zeros(0), np.zeros((0, 2)))
    for points in (None, nothing):
        (ax,) = plot_worst([WorstCase("NaCl", chain(), points, 0.5)]).axes
        assert len(curves(ax, "-")) == 4
        assert not curves(ax, "--")


def test_one_legend_names_what_is_there() -> None:
    bands = chain()
    mesh, path = WorstCase("NaCl", bands, MESH, 1.0), WorstCase("NaCl", bands, dense(bands), 1.0)
    assert legend([mesh, mesh]) == ["potential", "DFT (on its mesh)"]
    assert legend([path, path]) == ["potential", "DFT"]
    assert legend([path, mesh]) == ["potential", "DFT", "DFT (on its mesh)"]
    assert legend([WorstCase("NaCl", bands, None, 1.0)]) == ["potential"]


def test_titles_have_subscripts_and_the_error() -> None:
    cases = [
        ("Al2O3", 1.234, "Al$_{2}$O$_{3}$"),
        ("Ca3(PO4)2 mp-1", 0.5, "Ca$_{3}$(PO$_{4}$)$_{2}$"),
    ]
    figure = plot_worst([WorstCase(name, chain(), None, error) for name, error, _ in cases])
    for ax, (_, error, printed) in zip(figure.axes, cases, strict=True):
        first, second = ax.get_title(loc="left").split("\n")
        assert first.startswith(printed)
        assert second == f"error {error:.2f} THz"
    assert figure.get_supylabel() == "frequency (THz)"


def test_imaginary_modes_are_named_where_they_are() -> None:
    below = ReferencePoints(MESH.distances, MESH.frequencies - 3.0)
    items = [
        WorstCase("A", chain(), MESH, 1.0),
        WorstCase("B", chain(lowest=-2.0), None, 1.0),
        WorstCase("C", chain(), below, 1.0),
        WorstCase("D", chain(), dense(chain(), shift=-4.0), 1.0),
    ]
    for ax, imaginary in zip(plot_worst(items).axes, [False, True, True, True], strict=True):
        assert (ax.get_ylim()[0] < 0) == imaginary
        assert ("imaginary" in [text.get_text() for text in ax.texts]) == imaginary


@pytest.mark.parametrize(("n", "rows"), [(1, [1]), (2, [2]), (3, [3]), (4, [2, 2]), (5, [3, 2])])
def test_panels_in_rows_do_not_overlap(n: int, rows: list[int]) -> None:
    figure = plot_worst([WorstCase("Ba3(PO4)2 (mp-1234567, R-3m)", chain(), MESH, 1.0)] * n)
    figure.draw_without_rendering()
    tops = [round(ax.get_position().y1, 2) for ax in figure.axes]
    assert [tops.count(top) for top in dict.fromkeys(tops)] == rows
    boxes = [ax.get_tightbbox() for ax in figure.axes] + [figure.legends[0].get_window_extent()]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        plot_worst([])
