"""The folder that the files of a set lie in: a user's own, or the cache that downloads fill."""

from __future__ import annotations

import sys
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.references.reference import ReferenceFile, ReferenceSet
from mlphonon.potentials.named.cache import OFFLINE_VARIABLE, cache_folder, is_offline, locked
from mlphonon.potentials.named.downloading import DownloadError, download


def data_folder(reference: ReferenceSet, given: str | Path | None, progress: bool = True) -> Path:
    """Return the folder of data of a set; what it lacks is downloaded once, if it can be.

    Parameters
    ----------
    reference : ReferenceSet
        What is to be read.
    given : str or Path, optional
        A user's folder, which is taken as it is; without one, that in the cache.
    progress : bool
        Say on stderr what is downloaded, with a bar if it is a terminal.

    Raises
    ------
    ResultError
        If a file is not there and cannot be downloaded.
    PotentialError
        If the cache cannot be written.
    """
    if given is not None:
        return Path(given)
    folder = cache_folder() / "data"
    missing = [file for file in reference.files if not (folder / file.path).is_file()]
    apart = next((file.path for file in missing if file.url is None), None)
    if apart is None and not reference.paths(folder):
        apart = reference.patterns[0]
    if apart is not None:
        raise ResultError(
            f"{reference.name} is not here, and mlphonon cannot download it",
            f"it is from {reference.source}",
            f"give the folder that holds {apart} with --data",
        )
    for file in missing:
        _bring(reference, file, folder / file.path, progress)
    return folder


def _bring(reference: ReferenceSet, file: ReferenceFile, path: Path, progress: bool) -> None:
    by_hand = f"give the folder that holds {file.path} with --data"
    if is_offline():
        raise ResultError(
            f"{reference.name} is not here and {OFFLINE_VARIABLE} forbids to download {file.url}",
            fix=f"unset it, or {by_hand}",
        )
    part = path.with_name(f".{path.name}.part")
    with locked(path):
        # Another process may have brought it while this one waited.
        if path.is_file():
            return
        if progress:
            print(f"downloading {path.name} of {reference.name} from {file.url}", file=sys.stderr)
        try:
            part.unlink(missing_ok=True)  # of a process that was killed
            download(str(file.url), part, None, progress)
            part.replace(path)
        except DownloadError as error:
            raise ResultError(
                f"cannot download {file.url}", str(error), f"try again, or {by_hand}"
            ) from error
        except OSError as error:
            raise ResultError(
                f"cannot write {path}", error.strerror or str(error), f"make room, or {by_hand}"
            ) from error
        finally:
            part.unlink(missing_ok=True)
