"""What the figures say: labels, units, ranges, normalisation; and how they are written."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from mlphonon.errors import ResultError
from mlphonon.phonons.results import BandStructure, DensityOfStates, ThermalProperties
from mlphonon.report.figures import plot_bands_dos, plot_overview, plot_thermal, save_figure
from mlphonon.report.panels import crystal_title, point_label

R = 8.314462618
GAMMA, SIGMA = "\N{GREEK CAPITAL LETTER GAMMA}", "\N{GREEK CAPITAL LETTER SIGMA}"


def chain(
    labels: str = "GAMMA-X U-K K-SIGMA_0", lowest: float = 0.0, length: float = 1.0
) -> BandStructure:
    """Bands of a diatomic chain from 0 to 8 THz, one piece per pair, shifted to `lowest`."""
    pairs = tuple(tuple(pair.split("-")) for pair in labels.split())
    t = np.linspace(0, 1, 21)
    root = np.sqrt(1 - 0.75 * np.sin(np.pi * t / 2) ** 2)
    frequency = np.sqrt(32 * np.stack([1 - root, 1 + root], axis=1)) + lowest
    return BandStructure(
        segments=tuple(np.outer(t, [0.5, 0, 0.5]) for _ in pairs),
        distances=tuple(length * (i + t) for i in range(len(pairs))),
        frequencies=tuple(frequency for _ in pairs),
        labels=pairs,
    )


def density(symbols: tuple[str, ...] = ("Na", "Cl"), low: float = 0.0) -> DensityOfStates:
    """A density that starts at `low`, equal for all atoms, with room for smearing below."""
    frequencies = np.linspace(low - 1.0, 9.0, 401)
    inside = (frequencies > low) & (frequencies < 8.0)
    one = np.where(inside, (frequencies - low) ** 2 * (8.0 - frequencies), 0.0)
    one *= 3 / (one.sum() * (frequencies[1] - frequencies[0]))
    return DensityOfStates(
        frequencies, len(symbols) * one, symbols, np.tile(one, (len(symbols), 1))
    )


def einstein(n_atoms: int, theta: float = 200.0, highest: float = 1000.0) -> ThermalProperties:
    """3 n_atoms oscillators of one frequency, in closed form."""
    temperatures = np.linspace(10.0, highest, 200)
    x = theta / temperatures
    occupation = 1 / np.expm1(x)
    n = 3 * n_atoms * R
    zero_point = n * theta / 2 / 1000
    return ThermalProperties(
        temperatures=temperatures,
        free_energy=zero_point + n * temperatures * np.log1p(-np.exp(-x)) / 1000,
        entropy=n * (x * occupation - np.log1p(-np.exp(-x))),
        heat_capacity=n * x**2 * occupation * (1 + occupation),
        zero_point_energy=zero_point,
        n_atoms=n_atoms,
    )


def tick_texts(ax: Axes) -> list[str]:
    """Labels of the path, whatever line they stand on."""
    return [label.get_text().strip() for label in ax.get_xticklabels()]


def texts(figure: Figure) -> str:
    """All that annotations and titles say."""
    return " ".join(
        text.get_text() for ax in figure.axes for text in [*ax.texts, ax.title, ax._left_title]
    )


def horizontal_lines(ax: Axes) -> list[float]:
    """Heights of the dashed lines that cross the whole panel."""
    return [
        float(line.get_ydata()[0])
        for line in ax.lines
        if len(set(line.get_ydata())) == 1 and line.get_linestyle() == "--"
    ]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("GAMMA", GAMMA),
        (r"$\Gamma$", GAMMA),
        ("X", "X"),
        ("S_0", r"S$_{\mathrm{0}}$"),
        (r"$\mathrm{H_2}$", r"H$_{\mathrm{2}}$"),
        ("X1", r"X$_{\mathrm{1}}$"),
        ("SIGMA_0", SIGMA + r"$_{\mathrm{0}}$"),
        ("Z'", "Z\N{PRIME}"),
        ("", ""),
    ],
)
def test_names_of_points(name: str, printed: str) -> None:
    assert point_label(name) == printed


@pytest.mark.parametrize(
    ("title", "printed"),
    [
        ("Al2O3", "Al$_{2}$O$_{3}$"),
        ("Ca3(PO4)2, 300 K", "Ca$_{3}$(PO$_{4}$)$_{2}$, 300 K"),
        ("NaCl", "NaCl"),
        ("mp-149 with PBE0, MACE-MP-0, K2", "mp-149 with PBE0, MACE-MP-0, K2"),
    ],
)
def test_only_formulae_get_subscripts(title: str, printed: str) -> None:
    assert crystal_title(title) == printed


def test_path_is_labelled_and_jumps_are_named() -> None:
    ax = plot_bands_dos(chain()).axes[0]
    assert tick_texts(ax) == [GAMMA, "X|U", "K", SIGMA + r"$_{\mathrm{0}}$"]
    assert ax.get_xticks() == pytest.approx([0, 1, 2, 3])
    assert ax.get_xlim() == (0, 3)


def test_crowded_labels_do_not_touch() -> None:
    bands = chain("GAMMA-M_2 D-D_2 D_2-A L_2-GAMMA GAMMA-V_2")
    narrow = [0, 1.0, 1.02, 1.04, 1.06, 2.0]
    steps = itertools.pairwise(narrow)
    bands = replace(bands, distances=tuple(np.linspace(a, b, 21) for a, b in steps))
    figure = plot_bands_dos(bands)
    figure.draw_without_rendering()
    labels = figure.axes[0].get_xticklabels()
    rows = [label.get_text().count("\n") for label in labels]
    for row in set(rows):
        boxes = [x.get_window_extent() for x, r in zip(labels, rows, strict=True) if r == row]
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    assert max(rows) > 0


def test_frequencies_start_at_zero_without_imaginary_modes() -> None:
    figure = plot_bands_dos(chain(lowest=-0.01), density())
    low, high = figure.axes[0].get_ylim()
    assert low == 0
    assert 8.0 < high < 9.0
    assert "imaginary" not in texts(figure)


@pytest.mark.parametrize("where", ["bands", "dos", "reference"])
def test_imaginary_modes_are_shown_wherever_they_are(where: str) -> None:
    bands = chain(lowest=-1.5 if where == "bands" else 0.0)
    dos = density(low=-1.5 if where == "dos" else 0.0)
    reference = chain(lowest=-1.5) if where == "reference" else None
    figure = plot_bands_dos(bands, dos, reference=reference)
    lowest = figure.axes[0].get_ylim()[0]
    assert -2.0 < lowest < (-0.5 if where == "dos" else -1.5)  # a density starts with a tail
    assert figure.axes[1].get_ylim()[0] == lowest
    assert "imaginary" in texts(figure)


def test_units_stand_at_the_axes() -> None:
    left, right = plot_bands_dos(chain(), density()).axes
    assert left.get_ylabel() == "Frequency (THz)"
    assert right.get_xlabel() == "DOS (states/THz)"
    (wavenumbers,) = right.child_axes
    assert "cm$^{-1}$" in wavenumbers.get_ylabel()
    assert wavenumbers.get_ylim()[1] == pytest.approx(33.35641 * left.get_ylim()[1])


def test_a_long_verdict_stands_below_the_dispersion_and_within_the_figure() -> None:
    note = "do not use: " + ", ".join(["imaginary modes", "residual stress", "truncation"] * 3)
    figure = plot_bands_dos(chain(), density(), note=note, reference=chain())
    figure.draw_without_rendering()
    left = figure.axes[0]
    assert left.get_xlabel().replace("\n", " ") == note
    box, frame = left.xaxis.label.get_window_extent(), left.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= frame.x1 + 1
    assert 0 <= box.y0 < box.y1 <= frame.y0


def test_density_of_each_element() -> None:
    dos = density(("Ca", "Ti", "O", "O", "O"))
    ax = plot_bands_dos(chain(), dos).axes[1]
    lines = {line.get_label(): line for line in ax.lines}
    assert np.allclose(lines["O"].get_xdata(), 3 * dos.projected[0])
    assert np.allclose(lines["total"].get_xdata(), dos.total)
    assert [text.get_text() for text in ax.get_legend().texts] == ["Ca", "Ti", "O", "total"]


@pytest.mark.parametrize("dos", [density(("Si", "Si")), replace(density(), projected=None)])
def test_no_legend_where_there_is_nothing_to_tell_apart(dos: DensityOfStates) -> None:
    ax = plot_bands_dos(chain(), dos).axes[1]
    assert ax.get_legend() is None
    assert [line.get_label() for line in ax.lines] == ["total"]


def test_reference_is_put_at_the_same_points_in_another_lattice() -> None:
    ax = plot_bands_dos(chain(), reference=chain(length=1.1)).axes[0]
    solid = [line for line in ax.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2]
    dashed = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert len(solid) == len(dashed) == 6
    for own, other in zip(solid, dashed, strict=True):
        assert np.allclose(own.get_xydata(), other.get_xydata())
    assert [text.get_text() for text in ax.get_legend().texts] == ["model", "reference"]


def test_reference_along_another_path_is_refused() -> None:
    with pytest.raises(ValueError, match="another path"):
        plot_bands_dos(chain(), reference=chain("GAMMA-L U-K K-SIGMA_0"))


@pytest.mark.parametrize("n_atoms", [1, 5])
def test_thermal_properties_are_per_mole_of_atoms(n_atoms: int) -> None:
    thermal = einstein(n_atoms)
    left, right = plot_thermal(thermal).axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    one = einstein(1)
    assert np.allclose(lines["$C_V$"], one.heat_capacity)
    assert np.allclose(lines["$S$"], one.entropy)
    assert lines["$C_V$"][-1] == pytest.approx(3 * R, rel=0.01)
    assert horizontal_lines(left) == pytest.approx([24.943], abs=1e-3)
    assert horizontal_lines(right) == pytest.approx([one.zero_point_energy])
    assert np.allclose(right.lines[0].get_ydata(), one.free_energy)
    assert left.get_ylabel() == "$C_V$, $S$ (J/K per mole of atoms)"
    assert right.get_ylabel() == "$F$ (kJ per mole of atoms)"


@pytest.mark.parametrize("theta", [50.0, 200.0, 400.0, 600.0, 1000.0, 4000.0])
def test_name_of_the_classical_limit_is_clear_of_the_curves(theta: float) -> None:
    figure = plot_thermal(einstein(2, theta))
    figure.draw_without_rendering()
    ax = figure.axes[0]
    (name,) = (text for text in ax.texts if "Petit" in text.get_text())
    box = name.get_window_extent()
    for line in ax.lines:
        points = ax.transData.transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
        if len(points) > 2:
            assert not box.count_contains(points)


def test_overview_has_a_pair_of_panels_per_crystal_and_one_for_all() -> None:
    items = [
        (name, chain(lowest=low), density(low=low), einstein(n))
        for name, low, n in [("NaCl", 0.0, 2), ("CaTiO3", -2.0, 5), ("Si", 0.0, 2)]
    ]
    figure = plot_overview(items)
    *pairs, heat = figure.axes
    assert len(pairs) == 6
    assert [ax.get_ylim()[0] < 0 for ax in pairs] == [False, False, True, True, False, False]
    assert "CaTiO$_{3}$" in texts(figure)
    assert "per mole of atoms" in heat.get_ylabel()
    assert horizontal_lines(heat) == pytest.approx([3 * R])
    curves = [line for line in heat.lines if len(line.get_xdata()) > 2]
    assert all(np.allclose(line.get_ydata(), einstein(1).heat_capacity) for line in curves)
    # Each crystal keeps its colour from panel to panel.
    assert [line.get_color() for line in curves] == [ax.lines[0].get_color() for ax in pairs[::2]]


@pytest.mark.parametrize("n", [1, 2, 4])
def test_panels_of_an_overview_do_not_overlap(n: int) -> None:
    figure = plot_overview([("Si", chain(), density(), einstein(2))] * n)
    boxes = [ax.get_position() for ax in figure.axes]
    assert len(boxes) == 2 * n + 1
    for i, a in enumerate(boxes):
        assert 0 < a.x0 < a.x1 < 1 and 0 < a.y0 < a.y1 < 1
        assert not any(a.overlaps(b) for b in boxes[:i])


def test_overview_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        plot_overview([])


def test_png_is_written_at_200_dpi_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = save_figure(plot_thermal(einstein(2)), tmp_path / "thermal.png")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thermal.png"]
    image = imread(path)
    assert image.shape[:2] == (600, 1400)
    assert image[..., :3].min() < 0.2 < 0.9 < image[..., :3].mean()


@pytest.mark.parametrize(("suffix", "start"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_files_are_the_same_every_time(tmp_path: Path, suffix: str, start: bytes) -> None:
    paths = [tmp_path / f"{i}.{suffix}" for i in range(2)]
    for path in paths:
        save_figure(plot_thermal(einstein(2), title="Al2O3"), path)
    assert paths[0].read_bytes().startswith(start)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bands.png"
    path.write_bytes(b"old")
    figure = plot_bands_dos(chain())

    def fail_half_way(partial: Path, **_: object) -> None:
        partial.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", fail_half_way)
    with pytest.raises(ResultError, match="disk full"):
        save_figure(figure, path)
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_names_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="not a known format"):
        save_figure(plot_bands_dos(chain()), tmp_path / "bands.xyz")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="choose another place"):
        save_figure(plot_bands_dos(chain()), tmp_path / "file" / "bands.png")


def test_folders_that_are_missing_are_made(tmp_path: Path) -> None:
    assert save_figure(plot_bands_dos(chain()), tmp_path / "new" / "bands.png").is_file()


def test_pyplot_and_the_users_settings_are_left_alone(tmp_path: Path) -> None:
    script = """
import sys
import mlphonon.report.figures as figures
assert "matplotlib" not in sys.modules
import matplotlib
sys.path.insert(0, sys.argv[1])
from test_figures import chain, density, einstein
matplotlib.rcParams["font.size"] = 17
# Reading the backend's name is what imports pyplot.
settings = lambda: {k: matplotlib.rcParams[k] for k in matplotlib.rcParams if k != "backend"}
before = settings()
items = [("Si", chain(), density(), einstein(2))]
figures.save_figure(figures.plot_bands_dos(chain(), density()), sys.argv[2])
figures.plot_thermal(einstein(2)), figures.plot_overview(items)
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
"""
    arguments = [str(Path(__file__).parent), str(tmp_path / "bands.png")]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
