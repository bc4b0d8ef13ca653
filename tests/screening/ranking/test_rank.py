"""The order of a ranking, and that files hold what the table does."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet

from mlphonon.errors import ResultError, SettingsError
from mlphonon.screening.ranking.rank import format_rows, rank, write_table
from mlphonon.screening.ranking.table import Table

NAN = np.nan


@pytest.fixture
def table() -> Table:
    return Table(
        {
            "name": np.array(["d", "c", "b", "a", "e"], dtype=object),
            "mass": np.array([2.0, 4.0, 4.0, 5.0, 1.0]),
            "c_v_300": np.array([3.0, 8.0, 8.0, NAN, 1 / 3]),
            "stable": np.array([True, False, True, True, False]),
            "e_hull": np.array([0.0, 0.1, NAN, 0.2, 0.3]),
            "n_atoms": np.array([2, 4, 6, 8, 20480]),
        },
        {"mass": "g/mol", "c_v_300": "J/K/mol"},
    )


def names(table: Table) -> str:
    return "".join(table.columns["name"])


@pytest.mark.parametrize(
    ("by", "order"),
    [("mass", "abcde"), ("-mass", "edbca"), ("c_v(300)", "bcde"), ("c_v(300) / mass", "bcde")],
)
def test_the_largest_first_ties_by_name_and_nothing_without_a_value(
    table: Table, by: str, order: str
) -> None:
    assert names(rank(table, by)) == order


def test_the_smallest_first_ties_by_name_all_the_same(table: Table) -> None:
    assert names(rank(table, "mass", ascending=True)) == "edbca"
    assert names(rank(table, "c_v(300)", ascending=True)) == "edbc"


def test_rows_that_are_not_known_to_fulfil_the_condition_are_left_out(table: Table) -> None:
    assert names(rank(table, "mass", where="e_hull < 0.15")) == "cd"
    assert names(rank(table, "mass", where="not (e_hull < 0.15)")) == "ae"
    assert names(rank(table, "mass", where="stable or e_hull < 0.15")) == "abcd"


def test_the_first_of_them(table: Table) -> None:
    assert names(rank(table, "mass", top=2)) == "ab"
    assert names(rank(table, "mass", top=20)) == "abcde"
    for top in (0, -1):
        with pytest.raises(SettingsError, match=f"keep is {top}; give 1 or more"):
            rank(table, "mass", top=top)


def test_columns_of_a_ranking(table: Table) -> None:
    found = rank(table, "2 *  c_v(300)", top=3)
    assert [*found.columns][:4] == ["rank", "2 * c_v(300)", "name", "mass"]
    assert len(found.columns) == len(table.columns) + 2
    assert found.columns["rank"].tolist() == [1, 2, 3]
    assert found.columns["2 * c_v(300)"].tolist() == [16, 16, 6]
    assert found.columns["mass"].tolist() == [4, 4, 2]
    assert found.units == table.units


def test_a_column_is_not_there_twice(table: Table) -> None:
    found = rank(table, "c_v(300)")
    assert [*found.columns][:3] == ["rank", "c_v_300", "name"]
    assert len(found.columns) == len(table.columns) + 1
    assert found.units["c_v_300"] == "J/K/mol"


def test_ranked_again(table: Table) -> None:
    by_mass = rank(table, "mass", top=4)
    found = rank(by_mass, "e_hull")
    assert names(found) == "acd"
    assert found.columns["rank"].tolist() == [1, 2, 3]
    reversed_ = rank(by_mass, "rank")
    assert names(reversed_) == "dcba"
    assert reversed_.columns["rank"].tolist() == [1, 2, 3, 4]
    assert next(iter(reversed_.columns)) == "rank"


def test_nothing_to_rank(table: Table) -> None:
    found = rank(table, "mass", where="mass > 100")
    assert len(found) == 0
    assert [*found.columns][:2] == ["rank", "mass"]
    assert len(rank(found, "c_v(300)")) == 0


def test_names_are_not_needed() -> None:
    found = rank(Table({"x": np.array([1.0, 3.0, 3.0]), "y": np.array([0, 1, 2])}), "x")
    assert found.columns["y"].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("by", "where", "words"),
    [
        ("stable", None, "'stable' is a condition, not a number"),
        ("name", None, "'name' is text, not a number"),
        ("mass", "mass", "'mass' is a number, not a condition; compare it"),
        ("mass", "name", "'name' is text, not a condition"),
        ("mas", None, "did you mean mass"),
    ],
)
def test_refusals(table: Table, by: str, where: str | None, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        rank(table, by, where)


def with_gaps() -> Table:
    return Table(
        {
            "name": np.array(["NaCl, rock salt", 'the "other" Ü', None], dtype=object),
            "mass": np.array([0.1 + 0.2, 1e-300, NAN]),
            "n_atoms": np.array([2, 3, 4]),
            "stable": np.array([True, False, True]),
            "reported": np.array([True, None, np.False_], dtype=object),
            "given": np.array([1.5, None, 2], dtype=object),
        },
        {"mass": "g/mol"},
    )


def test_csv(tmp_path: Path) -> None:
    write_table(with_gaps(), tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["name", "mass (g/mol)", "n_atoms", "stable", "reported", "given"]
    assert rows == [
        ["NaCl, rock salt", "0.30000000000000004", "2", "true", "true", "1.5"],
        ['the "other" Ü', "1e-300", "3", "false", "", ""],
        ["", "", "4", "true", "false", "2"],
    ]


def test_json(tmp_path: Path) -> None:
    write_table(with_gaps(), tmp_path / "table.JSON")
    first, second, third = json.loads((tmp_path / "table.JSON").read_text(encoding="utf-8"))
    assert first == {
        "name": "NaCl, rock salt",
        "mass": 0.1 + 0.2,
        "n_atoms": 2,
        "stable": True,
        "reported": True,
        "given": 1.5,
    }
    assert first["stable"] is True
    assert second["reported"] is None
    assert second["mass"] == 1e-300
    assert third["name"] is None
    assert third["mass"] is None


def test_parquet(tmp_path: Path) -> None:
    table = with_gaps()
    write_table(table, tmp_path / "table.parquet")
    found = parquet.read_table(tmp_path / "table.parquet")
    assert found.column_names == [*table.columns]
    assert found.to_pydict() == {
        "name": table.columns["name"].tolist(),
        "mass": [0.1 + 0.2, 1e-300, None],
        "n_atoms": [2, 3, 4],
        "stable": [True, False, True],
        "reported": [True, None, False],
        "given": [1.5, None, 2.0],
    }
    assert [str(found.schema.field(name).type) for name in ("mass", "n_atoms", "stable")] == [
        "double",
        "int64",
        "bool",
    ]
    assert found.schema.field("mass").metadata == {b"unit": b"g/mol"}
    assert found.schema.field("n_atoms").metadata is None


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_tables_without_rows(table: Table, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    write_table(rank(table, "mass", where="mass > 100"), path)
    if suffix == ".csv":
        assert path.read_text().startswith("rank,mass (g/mol),name,c_v_300 (J/K/mol)")
    elif suffix == ".json":
        assert json.loads(path.read_text()) == []
    else:
        assert parquet.read_table(path).num_rows == 0
        assert str(parquet.read_table(path).schema.field("mass").type) == "double"


def test_infinite_numbers_are_missing_in_files(tmp_path: Path) -> None:
    write_table(Table({"x": np.array([np.inf, 1.0])}), tmp_path / "table.json")
    assert json.loads((tmp_path / "table.json").read_text()) == [{"x": None}, {"x": 1.0}]


@pytest.mark.parametrize("name", ["table.xlsx", "table"])
def test_other_suffixes(table: Table, tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError, match=r"suffix; use \.csv, \.json, \.parquet"):
        write_table(table, tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_without_pyarrow(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsError, match=r"pip install 'mlphonon\[parquet\]'"):
        write_table(table, tmp_path / "table.parquet")
    assert not any(tmp_path.iterdir())


def test_whole_or_not_at_all(table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    path.write_text("what was there")

    def fill(part: Path, content: bytes) -> int:
        with part.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill)
        with pytest.raises(ResultError, match="No space left on device"):
            write_table(table, path)
    assert path.read_text() == "what was there"
    assert [*tmp_path.iterdir()] == [path]
    write_table(table, path)
    assert path.read_text().startswith("name,mass (g/mol)")
    assert [*tmp_path.iterdir()] == [path]


def test_places_where_nothing_can_be_written(table: Table, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    for place in ("none/table.csv", "file/table.csv", "folder.csv"):
        with pytest.raises(ResultError, match="cannot write"):
            write_table(table, tmp_path / place)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder.csv"}


def test_rows_for_people(table: Table) -> None:
    shown = ["name", "mass / 3", "c_v(300)", "stable", "n_atoms", "e_hull > 0.05"]
    assert format_rows(table, shown) == [
        ["d", "0.6667", "3", "yes", "2", "no"],
        ["c", "1.333", "8", "no", "4", "yes"],
        ["b", "1.333", "8", "yes", "6", "no"],
        ["a", "1.667", "-", "yes", "8", "yes"],
        ["e", "0.3333", "0.3333", "no", "20480", "yes"],
    ]
    gaps = format_rows(with_gaps(), ["name", "mass", "reported", "given"])
    assert gaps[1] == ['the "other" Ü', "1e-300", "-", "-"]
    assert gaps[2] == ["-", "-", "no", "2"]
    assert format_rows(rank(table, "2 * mass", top=1), ["rank", "2 * mass"]) == [["1", "10"]]
    with pytest.raises(SettingsError, match="did you mean mass"):
        format_rows(table, ["mas"])
