"""Each element has its tile, at its place, with its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from ase.data import atomic_numbers, chemical_symbols
from matplotlib import colormaps
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mlphonon.report.elements import plot_by_element, tile_of
from mlphonon.report.panels import FILL, INK

ERRORS = {"H": 0.68, "O": 0.2, "Ca": 12.345, "Sc": 0.0456, "La": 0.3, "Lu": 123.4, "U": 1.5}
COUNTS = {"H": 31, "O": 4012, "Ca": 7, "Sc": 8, "La": 9, "Lu": 10, "U": 2}


def tile(figure: Figure, symbol: str) -> tuple[list[str], str, set[str]]:
    """Return what is written in an element's tile, the colour of the tile and of the writing."""
    ax = figure.axes[0]
    (name,) = (text for text in ax.texts if text.get_text() == symbol)
    column, row = tile_of(atomic_numbers[symbol])
    x, y = name.get_position()
    assert abs(x - column) < 0.5
    assert abs(y - row) < 0.5
    inside = [
        text
        for text in ax.texts
        if abs(text.get_position()[0] - column) < 0.5 and abs(text.get_position()[1] - row) < 0.5
    ]
    (patch,) = (
        each
        for each in ax.patches
        if isinstance(each, FancyBboxPatch)
        and abs(each.get_x() + each.get_width() / 2 - column) < 1e-9
        and abs(each.get_y() + each.get_height() / 2 - row) < 1e-9
    )
    written = [text.get_text() for text in inside]
    return written, to_hex(patch.get_facecolor()), {str(text.get_color()) for text in inside}


@pytest.mark.parametrize(
    ("symbol", "place"),
    [
        ("H", (1, 1)),
        ("He", (18, 1)),
        ("Be", (2, 2)),
        ("B", (13, 2)),
        ("Sc", (3, 4)),
        ("Zn", (12, 4)),
        ("Cs", (1, 6)),
        ("Hf", (4, 6)),
        ("Rn", (18, 6)),
        ("Rf", (4, 7)),
        ("Og", (18, 7)),
    ],
)
def test_places(symbol: str, place: tuple[int, int]) -> None:
    assert tile_of(atomic_numbers[symbol]) == place


def test_the_f_block_stands_beneath() -> None:
    lanthanides = [tile_of(number) for number in range(57, 72)]
    actinides = [tile_of(number) for number in range(89, 104)]
    assert [column for column, _ in lanthanides] == list(range(3, 18))
    assert [column for column, _ in actinides] == list(range(3, 18))
    (upper,), (lower,) = ({row for _, row in each} for each in (lanthanides, actinides))
    assert upper > 7.9
    assert lower == upper + 1
    assert len({tile_of(number) for number in range(1, 119)}) == 118


@pytest.mark.parametrize(
    ("symbol", "value"),
    [
        ("H", "0.68"),
        ("O", "0.20"),
        ("Ca", "12.3"),
        ("Sc", "0.046"),
        ("La", "0.30"),
        ("Lu", "123"),
        ("U", "1.50"),
    ],
)
def test_tiles_name_error_and_number_of_crystals(symbol: str, value: str) -> None:
    written, _, _ = tile(plot_by_element(ERRORS, COUNTS, "MAE (THz)", "error"), symbol)
    assert written == [symbol, value, str(COUNTS[symbol])]


def test_elements_without_an_error_are_pale() -> None:
    figure = plot_by_element({**ERRORS, "Fe": float("nan")}, COUNTS, "MAE (THz)", "error")
    pale = set(chemical_symbols[1:]) - set(ERRORS)
    assert "Fe" in pale
    for symbol in chemical_symbols[1:]:
        written, fill, _ = tile(figure, symbol)
        assert (fill == to_hex(FILL)) == (symbol in pale)
        assert (written == [symbol]) == (symbol in pale)


@pytest.mark.parametrize(
    ("errors", "scale", "middle"),
    [
        ({"H": 0.01, "O": 0.1, "U": 1.0}, "log", "O"),
        ({"H": 1.0, "O": 1.5, "U": 2.0}, "linear", "O"),
        ({"H": -2.0, "O": 0.0, "U": 2.0}, "linear", "O"),
    ],
)
def test_colours_follow_the_error(errors: dict[str, float], scale: str, middle: str) -> None:
    figure = plot_by_element(errors, dict.fromkeys(errors, 1), "MAE (THz)", "error")
    colours = colormaps["viridis_r"]
    assert tile(figure, "H")[1] == to_hex(colours(0.0))
    assert tile(figure, middle)[1] == to_hex(colours(0.5))
    assert tile(figure, "U")[1] == to_hex(colours(1.0))
    (bar,) = figure.axes[0].child_axes
    assert bar.get_xscale() == scale
    assert bar.get_xlim() == pytest.approx((errors["H"], errors["U"]))
    assert bar.get_title() == "MAE (THz)"


def test_writing_can_be_read_on_every_colour() -> None:
    symbols = chemical_symbols[1:90]
    errors = dict(zip(symbols, np.linspace(1, 2, 89), strict=True))
    figure = plot_by_element(errors, dict.fromkeys(symbols, 1), "MAE (THz)", "error")

    def luminance(colour: str) -> float:
        each = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in to_rgb(colour)]
        return 0.2126 * each[0] + 0.7152 * each[1] + 0.0722 * each[2]

    inks = set()
    for symbol in symbols:
        _, fill, (ink,) = tile(figure, symbol)
        inks.add(ink)
        low, high = sorted([luminance(fill), luminance(ink)])
        assert (high + 0.05) / (low + 0.05) > 4  # 4.5 is WCAG's AA; teal leaves no more
    assert inks == {"white", INK}


def test_writing_stays_in_its_tile() -> None:
    symbols = chemical_symbols[1:104]
    figure = plot_by_element(
        dict.fromkeys(symbols, 0.00012), dict.fromkeys(symbols, 99999), "MAE (THz)", "error"
    )
    figure.draw_without_rendering()
    ax = figure.axes[0]
    texts = [text.get_window_extent() for text in ax.texts]
    assert max(box.width for box in texts) < 0.94 * figure.bbox.width / 18
    for i, box in enumerate(texts):
        assert not any(box.overlaps(other) for other in texts[:i])


def test_one_error_is_enough() -> None:
    written, _, _ = tile(plot_by_element({"Si": 0.5}, {"Si": 4}, "MAE (THz)", "error"), "Si")
    assert written == ["Si", "0.50", "4"]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="no element has"):
        plot_by_element({"H": float("nan")}, {"H": 1}, "MAE (THz)", "error")
    with pytest.raises(ValueError, match="no elements: Xx, X"):
        plot_by_element({"H": 1.0, "Xx": 1.0, "X": 1.0}, {}, "MAE (THz)", "error")
