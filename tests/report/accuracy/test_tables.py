"""Tables of scores: what stands in them, and over which crystals."""

from __future__ import annotations

from mlphonon.report.accuracy.tables import compare
from tests.evaluation.test_scores import make_scores, score


def cells(text: str, title: str, row: int = 0) -> dict[str, str]:
    """One row of the first table after a heading."""
    lines = text[text.index(title) :].splitlines()
    table = [line for line in lines if line.startswith("|")]
    head, found = (line.strip("| ").split(" | ") for line in (table[0], table[2 + row]))
    return dict(zip(head, found, strict=True))


LITHIUM = score("LiF", ("Li", "F"), 0.2, -0.2)
SODIUM = score("NaF", ("Na", "F"), 0.4, 0.1, ours=False)
FAILED = score("KCl", ("K", "Cl"), None)


def test_each_number_stands_in_its_column() -> None:
    text = compare([make_scores("ours", LITHIUM, SODIUM, FAILED)])
    assert cells(text, "") == {
        "potential": "ours", "crystals": "3", "with numbers": "2", "failed": "1"
    }  # fmt: skip
    row = cells(text, "## Frequencies")
    assert row["MAE (THz)"] == "0.300 [0.200, 0.400]"
    assert row["at DFT's structure"] == "3.050"
    assert row["bias (THz)"] == "-0.050"
    assert "slope" not in row, "nothing is known of it"
    assert cells(text, "## Distributions")["spectrum (THz)"].startswith("0.150")
    assert "- ours: NaF (0.40), LiF (0.20)" in text
    assert "- ours, KCl, relaxed: it flew apart" in text
    assert "structures relaxed and dft" in text
    assert "phonondb-103 (file ffffffffffff)" in text
    assert "code cccccccccccc; phonopy 4.8.6" in text


def test_stability_is_told_by_its_rule() -> None:
    row = cells(compare([make_scores("ours", LITHIUM, SODIUM)]), "## Stability")
    assert row["rule"] == "no mode below -0.05 THz"
    assert (row["stable, rightly"], row["unstable, wrongly"]) == ("1", "1")
    assert (row["precision"], row["recall"], row["F1"]) == ("1.00", "0.50", "0.67")


def test_lines_are_compared_over_the_same_crystals() -> None:
    text = compare([make_scores("ours", LITHIUM, SODIUM), make_scores("theirs", LITHIUM)])
    assert cells(text, "## Frequencies")["MAE (THz)"].startswith("0.300")
    shared = "## Over the 1 crystals that all have"
    for row in (0, 1):
        assert cells(text, shared, row)["MAE (THz)"].startswith("0.200")
    alike = compare([make_scores("ours", LITHIUM), make_scores("theirs", LITHIUM)])
    assert "that all have" not in alike


def test_published_values_stand_beside_ours() -> None:
    text = compare([make_scores("m3gnet-mp", LITHIUM, SODIUM)])
    table = text.partition("## Published")[2].splitlines()
    assert "| m3gnet-mp | 2.100 | 0.150 (2) |" in table
    assert "| sevennet-0 | 0.770 |  |" in table
    assert "kappa SRME" not in "".join(table)  # which nobody measured here


def test_potentials_that_nobody_published_stand_below() -> None:
    table = compare([make_scores("embedded", LITHIUM, SODIUM)]).partition("## Published")[2]
    assert "| embedded | | 0.150 (2) |" in table.splitlines()


def test_published_potentials_are_those_of_the_catalogue() -> None:
    from mlphonon.potentials.named.catalogue import known_names
    from mlphonon.report.accuracy.published import published

    for one in published():
        assert set(one.values) <= set(known_names())
