"""Members of a committee that fail: one line that names the potential."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from ase.calculators.emt import EMT

from mlphonon import Phonons, compute_phonons, load_potential
from mlphonon.errors import MlphononError, PotentialError, RelaxationError
from mlphonon.phonons.committee import Committee
from mlphonon.phonons.results import Spread
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import Evaluation
from mlphonon.potentials.several import distinct_names
from mlphonon.screening.calculation import PotentialSource
from tests.helpers.committees import QUICK, springs, three
from tests.helpers.crystals import rocksalt
from tests.helpers.potentials import declare
from tests.helpers.springs import LatticeSprings, cubic_axes


@pytest.fixture(scope="module")
def phonons() -> Phonons:
    return three()


class Notebook:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str | Callable[[], str]) -> None:
        self.lines.append(text if isinstance(text, str) else text())

    @contextmanager
    def step(self, what: str, total: int | None):
        self.lines.append(what)
        yield lambda _done: None


class Watched(AsePotential):
    """Counts the structures it is asked about."""

    asked = 0

    def evaluate(self, structures: Any, progress: Any = None) -> list[Evaluation]:
        self.asked += len(structures)
        return super().evaluate(structures, progress)


def test_the_reporter_says_which() -> None:
    notebook = Notebook()
    compute_phonons(rocksalt(), [springs(1.0), springs(1.1)], reporter=notebook, **QUICK)
    told = [line for line in notebook.lines if "of 2" in line]
    assert [line.rpartition("(")[2] for line in told] == 3 * ["springs 1, 1 of 2)"] + 3 * [
        "springs 1.1, 2 of 2)"
    ]
    assert "supercell of 64 atoms" in told[1]


def line_of(error: type[MlphononError], potentials: Any, **changes: Any) -> str:
    with pytest.raises(error) as caught:
        compute_phonons(rocksalt(), potentials, **(QUICK | changes))
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_member_that_cannot_be_loaded_is_named_before_any_work() -> None:
    first = Watched(LatticeSprings(cubic_axes(2.845), 3.0, 0.5))
    assert "there is no file" in line_of(PotentialError, [first, "nowhere.model"])
    assert "'embeded'" in line_of(PotentialError, [first, "embeded"])
    assert "potential 'int'" in line_of(PotentialError, [first, 3])
    assert "the list is empty" in line_of(PotentialError, [])
    assert first.asked == 0


def test_a_member_that_does_not_know_an_element_is_named_before_any_work() -> None:
    first = Watched(LatticeSprings(cubic_axes(2.845), 3.0, 0.5))
    second = springs()
    declare(second, name="metals", elements=frozenset({29}))
    assert "'metals' does not know Na, Cl" in line_of(PotentialError, [first, second])
    assert first.asked == 0


def test_a_member_that_does_not_converge_is_named() -> None:
    text = line_of(RelaxationError, [springs(), springs(length=3.2, name="swollen")], relax_steps=2)
    assert text.startswith("potential 'swollen': ")


def test_a_calculator_that_fails_is_named() -> None:
    class Broken(LatticeSprings):
        def calculate(self, *_: Any, **__: Any) -> None:
            raise ZeroDivisionError

    broken = AsePotential(Broken(cubic_axes(2.845), 3.0, 0.5), name="broken")
    assert line_of(PotentialError, [springs(), broken]).startswith("potential 'broken': ")


def test_a_mistake_of_ours_is_not_hidden() -> None:
    class Broken(AsePotential):
        def evaluate(self, *_: Any, **__: Any) -> list[Evaluation]:
            raise ZeroDivisionError

    broken = Broken(LatticeSprings(cubic_axes(2.845), 3.0, 0.5), name="broken")
    with pytest.raises(ZeroDivisionError) as caught:
        compute_phonons(rocksalt(), [springs(), broken], **QUICK)
    assert caught.value.__notes__ == ["with potential 'broken'"]


def test_members_of_other_calculations_are_refused(phonons: Phonons) -> None:
    other = compute_phonons(rocksalt(), springs(), **(QUICK | {"min_length": 7.0}))
    with pytest.raises(ValueError, match=r"settings of springs 1 \(2\) is not that"):
        Committee((phonons, other))
    with pytest.raises(ValueError, match="two members"):
        Committee((phonons,))


def test_where_one_is_used_a_list_is_refused() -> None:
    for use in (load_potential, lambda several: PotentialSource(several).load()):
        with pytest.raises(PotentialError, match="2 potentials were given where one is used"):
            use([EMT(), EMT()])


def test_names_and_numbers() -> None:
    assert distinct_names(["a", "a", "a (2)", "b", "a"]) == (
        "a",
        "a (2)",
        "a (2) (2)",
        "b",
        "a (3)",
    )
    assert Spread.of([1.0, 3.0]) == Spread(2.0, np.sqrt(2.0), (1.0, 3.0))
