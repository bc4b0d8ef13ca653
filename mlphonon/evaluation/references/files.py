"""What the files of a set are: whether they are there, known editions, and their digests."""

from __future__ import annotations

from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.reference import ReferenceSet
from mlphonon.potentials.named.store import sha256_of


def check_files(reference: ReferenceSet, folder: str | Path) -> list[str]:
    """Check that the files of a set are there, and note those that nobody has vouched for.

    Data runs no code, so what is not known is used, and the user told; of sets whose files are
    known to nobody there is nothing to note.

    Returns
    -------
    list of str
        One line for each file that is not a known edition of it.

    Raises
    ------
    ResultError
        If a file is missing.
    """
    folder = Path(folder)
    _present(reference, folder)
    found = {file.path: sha256_of(folder / file.path) for file in reference.files if file.sha256}
    return [
        f"{file.path} is not an edition that mlphonon knows (SHA-256 {found[file.path]});"
        " results are pinned to it"
        for file in reference.files
        if file.sha256 and found[file.path] not in file.sha256
    ]


def file_digests(reference: ReferenceSet, folder: str | Path) -> dict[str, str]:
    """Return the SHA-256 of each file that is read, by its path in the folder of data.

    Raises
    ------
    ResultError
        If a file is missing.
    PotentialError
        If one cannot be read.
    """
    folder = Path(folder)
    paths = _present(reference, folder)
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in paths}


def _present(reference: ReferenceSet, folder: Path) -> list[Path]:
    paths = reference.paths(folder)
    lost = next((path for path in paths if not path.is_file()), None)
    if lost is None and paths:
        return paths
    what = str(lost) if lost else " or ".join(str(folder / one) for one in reference.patterns)
    raise ResultError(
        f"there is no file {what}",
        f"{reference.name} is from {reference.source}",
        "give the folder that holds it with --data",
    )
