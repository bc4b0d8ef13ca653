"""Files and folders that appear complete or not at all, and follow nobody's links."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlphonon.errors import ResultError
from mlphonon.io.atomic_files import (
    ABANDONED_AFTER,
    atomic_file,
    check_writable,
    write_folder,
    write_whole,
)

MARKER = "summary.json"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(folder: Path, text: str = "new") -> None:
    def files(part: Path) -> None:
        (part / MARKER).write_text(text)

    write_folder(folder, MARKER, files)


def writer_killed_at_work(path: Path) -> None:
    """Have another process die by kill -9 while it writes `path`, a folder or a file."""
    program = (
        "import os, sys; from pathlib import Path\n"
        "from mlphonon.io.atomic_files import atomic_file, write_folder\n"
        "path = Path(sys.argv[1])\n"
        "def die(part):\n"
        "    (part / 'half').write_text('half')\n"
        "    os.kill(os.getpid(), 9)\n"
        "if path.suffix:\n"
        "    with atomic_file(path): os.kill(os.getpid(), 9)\n"
        f"write_folder(path, {MARKER!r}, die)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, path]).returncode == -9


def test_file_is_written_and_replaced(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "one")
    write_whole(tmp_path / "a.json", b"two")
    assert (tmp_path / "a.json").read_text() == "two"
    assert names(tmp_path) == ["a.json"]


def test_no_laid_link_is_followed(tmp_path: Path) -> None:
    """What used to be the name of the scratch file may lead to a file of somebody else."""
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".a.json.part").symlink_to(victim)
    write_whole(tmp_path / "a.json", "mine")
    assert victim.read_text() == "precious"
    assert (tmp_path / "a.json").read_text() == "mine"


def test_scratch_names_differ(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a") as first, atomic_file(tmp_path / "a") as second:
        assert first != second
        assert first.parent == second.parent == tmp_path


@pytest.mark.parametrize("place", ["", ".", "folder"])
def test_folder_for_a_file_is_one_line(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(Path(place), "text")


def test_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space") as caught:
        write_whole(path, "new text")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.json"]


def test_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with atomic_file(tmp_path / "a") as part:
            part.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert names(tmp_path) == []


def test_folder_takes_the_place_of_a_result_only(tmp_path: Path) -> None:
    write(tmp_path / "out", "old")
    write(tmp_path / "out", "new")
    assert (tmp_path / "out" / MARKER).read_text() == "new"
    assert names(tmp_path) == ["out"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(ResultError, match="not an earlier result"):
        write(tmp_path / "mine")


def test_result_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    write(tmp_path / "disk" / "out", "old")
    (tmp_path / "out").symlink_to(tmp_path / "disk" / "out")
    write(tmp_path / "out", "new")
    assert (tmp_path / "disk" / "out" / MARKER).read_text() == "new"
    assert names(tmp_path) == ["disk", "out"]


@pytest.mark.parametrize("place", ["", ".", "..", "sub/.."])
def test_working_folder_is_not_replaced(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    monkeypatch.chdir(here)
    for refuse in (check_writable, write):
        with pytest.raises(ResultError, match="working folder"):
            refuse(Path(place))
    assert names(here) == ["sub"]


@pytest.mark.parametrize("name", ["out", "out.json"])
def test_what_a_killed_writer_left_is_swept(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    writer_killed_at_work(path)
    assert len(names(tmp_path)) == 1
    if path.suffix:
        write_whole(path, "")
    else:
        write(path)
    assert names(tmp_path) == [name]


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    """A writer at work, one on another machine, other results, and what only looks like ours."""
    kept = [
        f".out-00000000-1-{'a' * 16}",
        f".other-00000000-1-{'a' * 16}",
        ".out-draft",
        ".out-x86-1-mine",
    ]
    for name in kept:
        (tmp_path / name).mkdir()
    with atomic_file(tmp_path / "out.txt") as at_work:
        write(tmp_path / "out")
        write_whole(tmp_path / "out.txt", "")
        assert at_work.exists()
    assert names(tmp_path) == sorted([*kept, "out", "out.txt"])
    long_ago = time.time() - 2 * ABANDONED_AFTER
    for name in kept:
        os.utime(tmp_path / name, (long_ago, long_ago))
    write(tmp_path / "out")
    assert names(tmp_path) == sorted([*kept[1:], "out", "out.txt"])


def test_older_result_outlives_a_kill_between_two_renames(tmp_path: Path) -> None:
    aside = tmp_path / f".out-old-00000000-1-{'a' * 16}"
    aside.mkdir()
    (aside / MARKER).write_text("the only one")
    os.utime(aside, (0, 0))

    def fail(part: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ResultError, match="No space"):
        write_folder(tmp_path / "out", MARKER, fail)
    assert (aside / MARKER).read_text() == "the only one"
    write(tmp_path / "out")
    write(tmp_path / "out")
    assert names(tmp_path) == ["out"]
