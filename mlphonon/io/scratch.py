"""Folders that programs may litter: made and marked by this package, and only such are emptied."""

from __future__ import annotations

from pathlib import Path

from mlphonon.errors import ResultError

MARK = ".mlphonon-scratch"
"""Name of the file by which a folder of ours is known."""


class ScratchFolder:
    """A folder whose files may be deleted.

    Parameters
    ----------
    path : Path
        Made, with its parents, if it is not there; marked if it is empty.

    Raises
    ------
    ResultError
        If something that is not ours is there already.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_symlink() or (path.exists() and not path.is_dir()):
            raise _foreign(path)
        path.mkdir(parents=True, exist_ok=True)
        if not self._is_ours() and any(path.iterdir()):
            raise _foreign(path)
        (path / MARK).touch()

    def empty(self) -> None:
        """Delete the files in it; folders in it stay.

        Raises
        ------
        ResultError
            If it is not ours any more.
        """
        if not self._is_ours():
            raise _foreign(self.path)
        for old in self.path.iterdir():
            if old.name != MARK and (old.is_file() or old.is_symlink()):
                old.unlink()

    def _is_ours(self) -> bool:
        return (self.path / MARK).is_file()


def _foreign(path: Path) -> ResultError:
    return ResultError(
        f"{path} is there already and is not a scratch folder of mlphonon",
        "a program would run there, and what is in it would be deleted",
        "give another output folder, or move it away",
    )
