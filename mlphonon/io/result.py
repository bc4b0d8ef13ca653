"""What everything that is computed can do: say what it is, draw, tabulate, save and load itself.

A folder of a result holds ``KIND.json`` (format, versions, summary, record, and the SHA-256 of each
file that is read back), the arrays, tables and figures; it appears whole or not at all.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_type_hints

import numpy as np

from mlphonon.errors import MlphononError, ResultError
from mlphonon.io.arrays import flatten, unflatten
from mlphonon.io.atomic_files import write_folder
from mlphonon.io.digests import check_digests, digests_of
from mlphonon.io.npz import read_npz
from mlphonon.system.late_binding import resolve

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

SAVE_FIGURE = "mlphonon.report.figures:save_figure"


class Result(ABC):
    """Base of results: a subclass says what it holds, and how its own files are made and read.

    Attributes
    ----------
    kind : str
        Names its files and its folder, e.g. ``"thermal_conductivity"``.
    words : str
        What it is in an error message, e.g. ``"a thermal conductivity"``.
    format : int
        Version of its files; others are refused.
    figures : mapping of str to str
        File -> ``"module:function"`` that draws the result; `plot` draws the first.
    """

    kind: ClassVar[str]
    words: ClassVar[str]
    format: ClassVar[int] = 1
    figures: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """Return what one wants to know at a glance, as plain types; units in the names."""

    @abstractmethod
    def describe(self) -> list[str]:
        """Return what is printed, in lines."""

    @abstractmethod
    def table(self) -> dict[str, np.ndarray]:
        """Return columns of equal length by name, units in the names."""

    @abstractmethod
    def write_files(self, folder: Path) -> tuple[str, ...]:
        """Write what is read back into a folder that is there; return the names of these files."""

    @classmethod
    @abstractmethod
    def read_files(cls, folder: Path, summary: Mapping[str, Any]) -> Self:
        """Return the result whose files are in a folder.

        Parameters
        ----------
        folder : Path
            Its files are those that were written: their digests have been checked.
        summary : mapping
            What ``KIND.json`` holds.
        """

    def write_extras(self, folder: Path) -> None:  # noqa: B027
        """Write what others read: tables for other programs. Figures come by themselves."""

    def figure_names(self) -> tuple[str, ...]:
        """Files of `figures` that can be drawn of this result."""
        return tuple(self.figures)

    def to_dataframe(self) -> DataFrame:
        """Return `table` as a pandas DataFrame."""
        from pandas import DataFrame

        return DataFrame(self.table())

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw the result.

        Parameters
        ----------
        path : str or Path, optional
            Where to write it; the suffix decides the format, and missing folders are made.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return self.draw(next(iter(self.figures)), path)

    def draw(self, name: str, path: str | Path | None = None) -> Figure:
        """Draw one of `figures` by its file's name (see `plot`)."""
        figure: Figure = resolve(self.figures[name])(self)
        if path is not None:
            resolve(SAVE_FIGURE)(figure, Path(path))
        return figure

    def save(self, folder: str | Path) -> Path:
        """Write all files of the result into `folder`; it appears whole or not at all.

        Raises
        ------
        ResultError
            If the folder cannot be written.
        """
        return write_folder(Path(folder), self.summary_file(), self.write)

    def write(self, folder: Path, figures: bool = True) -> None:
        """Write all files into a folder that is there, the summary last.

        Parameters
        ----------
        folder : Path
            Empty, or that of a larger result of which this is a part.
        figures : bool
            Also figures and tables for other programs; what `load` reads otherwise.
        """
        names = self.write_files(folder)
        if figures:
            self.write_extras(folder)
            for name in self.figure_names():
                self.draw(name, folder / name)
        summary = {
            "format": self.format,
            "kind": self.kind,
            **self.summary(),
            "files_sha256": digests_of(folder, names),
        }
        (folder / self.summary_file()).write_text(json.dumps(summary, indent=1) + "\n")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read back what `save` wrote.

        Raises
        ------
        ResultError
            If the folder does not hold a whole result of this kind and format, or a file is not
            the one that was written.
        """
        folder = Path(folder)
        try:
            return cls._read(folder)
        except MlphononError as error:
            if isinstance(error, ResultError):
                raise
            raise cls._unreadable(folder, str(error)) from error
        # Damaged files meet JSON's, numpy's, zip's and phonopy's readers with any exception.
        except Exception as error:
            why = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise cls._unreadable(folder, why) from error

    @classmethod
    def _read(cls, folder: Path) -> Self:
        file = folder / cls.summary_file()
        if not file.is_file():
            raise ValueError(f"there is no file {cls.summary_file()}")
        summary = cls.upgraded(folder, json.loads(file.read_text(encoding="utf-8")))
        if summary.get("format") != cls.format:
            raise ValueError(
                f"its format is {summary.get('format')}, this version reads {cls.format}"
            )
        digests = summary["files_sha256"]
        if missing := sorted(set(cls.required_files()) - set(digests)):
            raise ValueError(f"its summary has no SHA-256 of {missing[0]}")
        check_digests(folder, digests)
        return cls.read_files(folder, summary)

    @classmethod
    def _unreadable(cls, folder: Path, why: str) -> ResultError:
        return ResultError(
            f"{folder} does not hold {cls.words}, whole",
            why,
            f"give a folder that 'mlphonon {cls.kind.replace('_', '-')}' or"
            f" {cls.__name__}.save wrote",
        )

    @classmethod
    def upgraded(cls, folder: Path, summary: Any) -> Any:
        """Return a summary in this version's format, if it is of one that can still be read."""
        return summary

    @classmethod
    def required_files(cls) -> tuple[str, ...]:
        """Names of files without which no result of this kind is whole."""
        return ()

    @classmethod
    def summary_file(cls) -> str:
        """Name of the file by which a folder of this kind is known."""
        return f"{cls.kind}.json"


class ArrayResult(Result):
    """A result that is a frozen dataclass of arrays and a record.

    Its field ``record`` is a pydantic model and goes into the summary; all others go into
    ``KIND.npz`` (see `mlphonon.io.arrays`), and the table into ``KIND.csv``.
    """

    @classmethod
    def required_files(cls) -> tuple[str, ...]:
        """Name the file of the arrays."""
        return (f"{cls.kind}.npz",)

    def write_files(self, folder: Path) -> tuple[str, ...]:
        """Write the arrays."""
        arrays: dict[str, Any] = flatten(self, leave_out=("record",))
        np.savez_compressed(folder / f"{self.kind}.npz", allow_pickle=False, **arrays)
        return (f"{self.kind}.npz",)

    def write_extras(self, folder: Path) -> None:
        """Write the table as CSV."""
        table = self.table()
        lines = [",".join(table)]
        lines += [",".join(f"{x:.7g}" for x in row) for row in np.column_stack([*table.values()])]
        (folder / f"{self.kind}.csv").write_text("\n".join(lines) + "\n")

    @classmethod
    def read_files(cls, folder: Path, summary: Mapping[str, Any]) -> Self:
        """Read the arrays back."""
        record: Any = get_type_hints(cls)["record"]
        values = unflatten(cls, read_npz(folder / f"{cls.kind}.npz"), leave_out=("record",))
        values["record"] = record.model_validate(summary["record"])
        return cls(**values)
