"""What is read back is what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlphonon.errors import ResultError
from mlphonon.io.digests import check_digests, digests_of


@pytest.fixture
def result(tmp_path: Path) -> Path:
    folder = tmp_path / "result"
    (folder / "members").mkdir(parents=True)
    (folder / "a.npz").write_bytes(b"one")
    (folder / "members" / "b.yaml").write_bytes(b"two")
    (tmp_path / "outside").write_bytes(b"three")
    return folder


NAMES = ("a.npz", "members/b.yaml")


def test_files_that_were_written(result: Path) -> None:
    digests = digests_of(result, NAMES)
    assert digests["a.npz"] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    check_digests(result, digests)
    check_digests(result, {})


@pytest.mark.parametrize("name", NAMES)
def test_another_file_in_the_place_of_one(result: Path, name: str) -> None:
    digests = digests_of(result, NAMES)
    (result / name).write_bytes(b"four")
    with pytest.raises(ResultError, match=f"{name} is another file"):
        check_digests(result, digests)
    (result / name).unlink()
    with pytest.raises(ResultError, match=f"no file {name}"):
        check_digests(result, digests)


def test_exchanged_files(result: Path) -> None:
    first, second = digests_of(result, NAMES).values()
    with pytest.raises(ResultError, match="another file"):
        check_digests(result, dict(zip(NAMES, (second, first), strict=True)))


def test_nothing_outside_is_looked_at(result: Path) -> None:
    outside = result.parent / "outside"
    digest = digests_of(result.parent, ["outside"])["outside"]
    for name in ("../outside", str(outside), "members/../../outside"):
        with pytest.raises(ResultError, match="no file"):
            check_digests(result, {name: digest})
