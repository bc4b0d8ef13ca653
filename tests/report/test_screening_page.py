"""The page of a campaign says what the table does, and nothing that a name asks it to."""

from __future__ import annotations

import errno
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from mlphonon import Phonons
from mlphonon.errors import ResultError, SettingsError
from mlphonon.report.screening.failures import MOST
from mlphonon.report.screening.histograms import (
    Distribution,
    distribution,
    heat_capacity_column,
    plot_histogram,
)
from mlphonon.report.screening.labels import label
from mlphonon.report.screening.markup import formula
from mlphonon.report.screening.means import ElementMean, means_by_element
from mlphonon.report.screening.page import Summary, write_page
from mlphonon.screening.ranking.rank import rank
from mlphonon.screening.ranking.table import Table

NAN = np.nan
EVIL = "<script>alert('&')</script>"
UNITS = {
    "max_frequency": "THz",
    "min_frequency": "THz",
    "gap": "THz",
    "debye_temperature": "K",
    "sound_velocity": "km/s",
    "c_v_100": "J/K/mol",
    "c_v_300": "J/K/mol",
    "numerical_error": "THz",
}


def text(values: list[str]) -> np.ndarray:
    return np.array(values, dtype=object)


@pytest.fixture
def results() -> Table:
    """Twenty crystals; the last four are unstable and have no sound velocity."""
    n = np.arange(20.0)
    stable = n < 16
    velocity = np.where(stable, 2 + n / 10, NAN)
    return Table(
        {
            "name": text([f"crystal-{i:02}" for i in range(19)] + [EVIL]),
            "formula": text(["NaCl", "Li3N", "Al2O3", "C"] * 5),
            "spacegroup": text(["Fm-3m (225)"] * 20),
            "max_frequency": 30 - n,
            "min_frequency": np.where(stable, -0.001 * n, -n / 10),
            "gap": np.where(n < 17, 0.0, n / 10),
            "stable": stable,
            "debye_temperature": 100 * velocity,
            "sound_velocity": velocity,
            "c_v_100": 5 + n / 10,
            "c_v_300": 22 + n / 10,
            "verdict": text(["trusted", "use with care", "do not use", "trusted"] * 5),
            "numerical_error": n / 100,
        },
        UNITS,
    )


class Page(HTMLParser):
    """Reads a page, and refuses one whose tags are not closed in turn."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path: Path = path
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def pictures(self, kind: str) -> list[str]:
        """What those are told who cannot see the images of a format."""
        images = self.all("img")
        return [str(one["alt"]) for one in images if f"image/{kind}" in str(one["src"])]


def written(tmp_path: Path, summary: Summary) -> Page:
    write_page(tmp_path / "page.html", summary)
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] == ["page.html"]
    return Page(tmp_path / "page.html")


def failure(cause: str, name: str = "one", message: str = "no", said: str | None = None) -> dict:
    return {"name": name, "cause": cause, "message": message, "last_words": said}


def test_the_page_says_what_was_computed_and_what_came_of_it(
    tmp_path: Path, results: Table
) -> None:
    top = rank(results, "debye_temperature", "stable", 3)
    summary = Summary(
        "Round one",
        ["embedded (float64)", "20 done"],
        results,
        [failure("timeout"), failure("crash", said="Segmentation fault")],
        top,
        "debye_temperature",
        "stable",
    )
    page = written(tmp_path, summary)
    for said in (
        "Round one",
        "embedded (float64)",
        "computed 20 stable 16 unstable 4 trusted 10 failed 2",
        "mlphonon",
        "Highest frequency 20 of 20 crystals, from 11 to 30 THz, median 20.5",
        "Heat capacity at 300 K 20 of 20 crystals",
        "Debye temperature 16 of 20 crystals, from 200 to 350 K",
        "Lowest frequency",
        "Gap above the acoustic branches 3 of 20 crystals, from 1.7 to 1.9 THz",
        "Sound velocity",
        "Elements: Debye temperature (K)",
        "Ranked by debye_temperature where stable",
        "Debye temperature (K) highest frequency (THz) error of the calculation (THz)",
        "1. C crystal-15 Fm-3m (225) yes trusted 350 15 0.15",
        "2. Al 2 O 3 crystal-14 Fm-3m (225) yes do not use 340",
        "timeout: 1",
        "crash: 1",
        "Segmentation fault",
    ):
        assert said in page.text
    assert len(page.pictures("svg+xml")) == 7
    assert page.pictures("svg+xml")[0].startswith("Histogram of the highest frequency: 20 of 20")


def test_the_page_needs_nothing_else_and_can_be_read_aloud(tmp_path: Path, results: Table) -> None:
    top = rank(results, "gap")
    page = written(tmp_path, Summary("One", [], results, [failure("crash")], top, "gap"))
    source = page.path.read_text()
    assert not re.search(r"https?://|url\(|@import|<link|<script", source)
    assert all(str(one["src"]).startswith("data:image/") and one["alt"] for one in page.all("img"))
    assert page.all("table")
    assert all(one["scope"] in {"col", "row"} for one in page.all("th"))
    assert page.all("html") == [{"lang": "en"}]
    headings = [tag for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert headings[0] == "h1" and headings.count("h1") == 1


def test_text_of_users_stays_text(tmp_path: Path, results: Table) -> None:
    evil = results.with_column(EVIL, results.columns["gap"], EVIL)
    evil = evil.with_column("spacegroup", text([EVIL] * 20)).with_column(
        "formula", text([EVIL] * 20)
    )
    top = rank(evil, EVIL)
    failures = [failure(EVIL, EVIL, EVIL, EVIL)]
    page = written(
        tmp_path, Summary(EVIL, [EVIL], evil, failures, top, EVIL, EVIL, {EVIL: Path(EVIL)}, EVIL)
    )
    assert page.all("script") == []
    assert "<script" not in page.path.read_text()
    assert page.text.count(EVIL) > 20
    assert f"{EVIL} does not hold phonons, whole" in page.text


@pytest.mark.parametrize("missing", ["no values", "no column"])
def test_what_has_no_values_is_said_to_be_left_out(
    tmp_path: Path, results: Table, missing: str
) -> None:
    columns = dict(results.columns)
    for name in ("sound_velocity", "c_v_100", "c_v_300", "debye_temperature"):
        columns[name] = np.full(20, NAN)
        if missing == "no column" and name != "debye_temperature":
            del columns[name]
    page = written(tmp_path, Summary("One", [], Table(columns, UNITS)))
    assert len(page.pictures("svg+xml")) == 3
    heat = "heat capacity at 300 K" if missing == "no values" else "heat capacity"
    left_out = f"Left out, as no crystal has one: {heat}, Debye temperature, sound velocity."
    assert left_out in page.text
    assert "Elements: Debye temperature (K) Left out, as no crystal has a value." in page.text
    assert "Ranked" not in page.text
    assert "No crystal failed." in page.text


def test_a_campaign_with_nothing_in_it_has_a_page(tmp_path: Path, results: Table) -> None:
    nothing = results.take(np.array([], dtype=int))
    page = written(tmp_path, Summary("One", [], nothing, ranked=rank(nothing, "gap"), by="gap"))
    assert page.all("img") == []
    assert "No crystal qualifies." in page.text


def test_many_failures_of_a_cause_are_counted(tmp_path: Path, results: Table) -> None:
    failures = [failure("crash"), *(failure("timeout", f"t{i}") for i in range(MOST + 3))]
    page = written(tmp_path, Summary("One", [], results, failures))
    assert f"timeout: {MOST + 3}" in page.text and "And 3 more." in page.text
    assert f"t{MOST - 1}" in page.text and f"t{MOST}" not in page.text
    assert page.text.index("timeout: ") < page.text.index("crash: ")


def test_phonons_that_were_kept_are_drawn_and_others_are_named(
    tmp_path: Path, results: Table, quartz_phonons: Phonons
) -> None:
    kept = quartz_phonons.save(tmp_path / "kept")
    top = rank(results, "max_frequency", top=3)
    folders = {"crystal-00": kept, "crystal-02": tmp_path / "lost"}
    page = written(
        tmp_path, Summary("One", [], results, ranked=top, by="max_frequency", folders=folders)
    )
    assert page.pictures("png") == ["Dispersion and density of states of SiO2, crystal-00"]
    assert "2. Li 3 N crystal-01 : its phonons were not kept" in page.text
    assert "crystal-02 : " in page.text and "lost does not hold phonons, whole" in page.text
    # Ranked by one of the columns that are shown anyway: it is there once.
    assert page.text.count("highest frequency (THz)") == 1


def test_the_page_is_whole_or_not_there(
    tmp_path: Path, results: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page.html"
    path.write_text("old")
    write = Path.write_bytes

    def half(self: Path, data: bytes) -> int:
        write(self, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    for target in (path, tmp_path / "new.html"):
        with pytest.raises(ResultError, match=r"cannot write .*No space left"):
            write_page(target, Summary("One", [], results))
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_a_quantity_that_is_not_there_is_refused(tmp_path: Path, results: Table) -> None:
    with pytest.raises(SettingsError, match="there is no column 'heat'"):
        write_page(tmp_path / "page.html", Summary("One", [], results, heat="heat"))
    assert list(tmp_path.iterdir()) == []


def test_means_are_of_the_crystals_that_contain_an_element() -> None:
    table = Table(
        {
            "formula": text(["NaCl", "Na2O", "N2", "Li3N", "CaCO3", "Co", "?"]),
            "value": np.array([1.0, 2.0, 5.0, NAN, 10.0, 20.0, 99.0]),
        }
    )
    assert means_by_element(table, "value") == {
        "C": ElementMean(10.0, 1),
        "N": ElementMean(5.0, 1),  # neither in NaCl nor in Na2O, and Li3N has no value
        "O": ElementMean(6.0, 2),
        "Na": ElementMean(1.5, 2),
        "Cl": ElementMean(1.0, 1),
        "Ca": ElementMean(10.0, 1),
        "Co": ElementMean(20.0, 1),
    }
    assert means_by_element(table, "1 / (value - 1)")["O"] == ElementMean(
        pytest.approx((1 + 1 / 9) / 2), 2
    )


def test_the_means_are_in_the_page_as_a_table(tmp_path: Path, results: Table) -> None:
    page = written(tmp_path, Summary("One", [], results, heat="max_frequency"))
    # Carbon is 30 - 3, 7, 11, 15, 19.
    assert "C 19 5 N 21 5 O 20 5" in page.text
    (alt,) = (one for one in page.pictures("svg+xml") if one.startswith("Periodic"))
    assert alt.endswith("the mean highest frequency (THz): from 19 (C) to 22 (Na)")


def test_values_of_stable_and_unstable_crystals(results: Table) -> None:
    one = distribution(results, "min_frequency")
    assert len(one.stable) == 16 and one.unstable == pytest.approx([-1.6, -1.7, -1.8, -1.9])
    noise = results.with_column("min_frequency", np.full(20, -1.2e-7))
    assert {str(each) for each in distribution(noise, "min_frequency").values} == {"0.0"}
    gap = distribution(results, "gap")
    assert len(gap.stable) == 0 and gap.values == pytest.approx([1.7, 1.8, 1.9])
    assert len(distribution(results, "sound_velocity").unstable) == 0
    assert len(distribution(results, "absent").values) == 0


@pytest.mark.parametrize("logarithmic", [False, True])
def test_bars_count_every_crystal(logarithmic: bool) -> None:
    shown = Distribution(np.array([1.0, 2, 2, 9]), np.array([2.0, 2.1]))
    ax = plot_histogram(shown, "x", logarithmic=logarithmic).axes[0]
    heights = [sum(bar.get_height() for bar in group) for group in ax.containers]
    assert heights == [4, 2]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["stable", "unstable"]
    assert ax.get_yscale() == ("log" if logarithmic else "linear")
    assert len(shown.edges()) == 7


def test_one_colour_where_all_are_alike_and_the_classical_limit() -> None:
    shown = Distribution(np.array([20.0]), np.array([]))
    ax = plot_histogram(shown, "a $ sign", classical=True).axes[0]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(names) == ["Dulong\N{EN DASH}Petit, 24.94", "stable"]
    (line,) = ax.lines
    assert line.get_xdata()[0] == pytest.approx(3 * 8.314462618)
    assert ax.get_xlim()[1] > line.get_xdata()[0]


def test_the_heat_capacity_nearest_to_300_kelvin() -> None:
    def column(*names: str) -> str | None:
        return heat_capacity_column(Table(dict.fromkeys(names, np.zeros(1))))

    assert column("c_v_10", "c_v_298.15", "c_v_310", "c_v_300_per_mass") == "c_v_298.15"
    assert column("c_v_10") == "c_v_10"
    assert column("mass", "c_v_300_per_mass") is None


def test_words(results: Table) -> None:
    assert label("c_v(300)", results) == "heat capacity at 300 K (J/K per mole of atoms)"
    assert label("c_v(300)  / 2", results) == "c_v(300) / 2"
    assert label("stable", results) == "stable"
    assert formula("Ca5(PO4)3OH") == "Ca<sub>5</sub>(PO<sub>4</sub>)<sub>3</sub>OH"
    assert unescape(formula("<'1")) == "<'<sub>1</sub>"
