"""Sets by name, samples that are fair, and files that are what they should be or are noted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from ase.build import bulk

from mlphonon.errors import ResultError, SettingsError
from mlphonon.evaluation.references.catalogue import (
    SETS,
    find_reference,
    read_reference,
    select_crystals,
)
from mlphonon.evaluation.references.files import check_files, file_digests
from mlphonon.evaluation.references.keys import in_fair_order, make_key
from mlphonon.evaluation.references.reference import (
    ReferenceCrystal,
    ReferenceFile,
    ReferenceSet,
)


def crystal(key: str) -> ReferenceCrystal:
    return ReferenceCrystal(key, bulk("Cu"))


def make_set(keys: list[str], files: tuple[ReferenceFile, ...] = ()) -> ReferenceSet:
    readers: dict[str, Callable[[], ReferenceCrystal]] = {k: partial(crystal, k) for k in keys}
    return ReferenceSet("few", "few", "nowhere", "MIT", "none", files, lambda _folder: readers)


def test_sets_are_found_by_name() -> None:
    assert list(SETS) == [
        "phonondb-103",
        "phonondb-103-nac",
        "phonondb-2018",
        "mdr-10k-pbe",
        "mdr-10k-pbesol",
        "alexandria-binary",
        "mp-dfpt",
        "jarvis-dos",
    ]
    for name, reference in SETS.items():
        assert find_reference(name) is reference
        assert reference.files or reference.patterns
        for text in (reference.description, reference.source, reference.licence):
            assert text and "\n" not in text and "\t" not in text
    with pytest.raises(ResultError, match=r"spelt alike are phonondb-103.*benchmark list"):
        find_reference("phonondb")


def test_samples_are_nested_and_do_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    keys = [f"mp-{n}" for n in range(200)]
    forwards, backwards = make_set(keys), make_set(keys[::-1])
    whole = [c.key for c in read_reference(forwards, tmp_path)]
    assert whole == [c.key for c in read_reference(backwards, tmp_path)]
    assert whole != keys and sorted(whole) == sorted(keys)
    for n in (1, 7, 50, 199):
        assert [c.key for c in read_reference(forwards, tmp_path, n)] == whole[:n]
        assert len(select_crystals(forwards, tmp_path, n)) == n
    assert len(select_crystals(forwards, tmp_path, 1000)) == 200
    assert len(select_crystals(forwards, tmp_path)) == 200
    # Numbers in a name do not tell its place: neither half is drawn more than chance does.
    low = sum(int(key[3:]) < 100 for key in whole[:100])
    assert 35 < low < 65


def test_the_order_is_that_of_sha256() -> None:
    keys = ["NaCl_mp-22862", "MgO_mp-1265", "Si_mp-149"]
    expected = sorted(keys, key=lambda key: hashlib.sha256(key.encode()).hexdigest())
    assert in_fair_order(keys) == expected
    # As sha256sum has it; results that were published stay samples of the same set.
    assert in_fair_order("abcdef") == ["d", "f", "c", "b", "e", "a"]


def test_no_crystal_is_no_sample(tmp_path: Path) -> None:
    for limit in (0, -3):
        with pytest.raises(SettingsError, match="above zero"):
            read_reference(make_set(["a"]), tmp_path, limit)
    with pytest.raises(ResultError, match="there is no crystal of few in"):
        read_reference(make_set([]), tmp_path)


def test_only_crystals_that_are_reached_are_read(tmp_path: Path) -> None:
    seen: list[str] = []

    def read(key: str) -> ReferenceCrystal:
        seen.append(key)
        return crystal(key)

    readers = {key: partial(read, key) for key in "abc"}
    lazy = replace(make_set([]), read=lambda _folder: readers)
    crystals = read_reference(lazy, tmp_path)
    assert seen == []
    assert next(crystals).key == seen[0]
    assert len(seen) == 1


def test_keys_are_fit_for_files() -> None:
    assert make_key("Ca(OH)2 [α]") == "Ca_OH_2____"
    assert make_key("../up") == "_up"
    assert make_key("..") == "_"
    assert make_key("mp-149_x.1") == "mp-149_x.1"


def test_files_are_known_noted_or_missing(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    texts = {"sub/a": "one", "sub/b": "two", "c": "three"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in texts.items()}
    found = make_set(
        ["x"],
        (
            ReferenceFile("sub/a", sha256=("0" * 64, digests["sub/a"])),
            ReferenceFile("sub/b", sha256=("0" * 64,)),
            ReferenceFile("c"),
        ),
    )
    assert check_files(found, tmp_path) == [
        f"sub/b is not an edition that mlphonon knows (SHA-256 {digests['sub/b']});"
        " results are pinned to it"
    ]
    assert file_digests(found, tmp_path) == digests
    (tmp_path / "c").unlink()
    for check in (check_files, file_digests):
        with pytest.raises(ResultError, match=r"no file .*/c; few is from nowhere; .*--data"):
            check(found, tmp_path)


def test_missing_files_of_a_set(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match=r"no file .*structures\.extxyz.*k_SRME.*--data"):
        check_files(find_reference("phonondb-103"), tmp_path)
    with pytest.raises(ResultError, match=r"no file .*ph-dos/\*\.json or .*mp-id.*--data"):
        check_files(find_reference("mp-dfpt"), tmp_path)
