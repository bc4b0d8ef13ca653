"""The weights on this machine: where they lie, how they come, whether they are what they were.

A pickled model runs code when it is loaded, so a file is only used if its SHA-256 is vouched
for: by the catalogue, or by the digest that was written beside it when a user said that the
download is to be trusted. Only `pull` touches the network.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlphonon.errors import PotentialError, UntrustedFileError
from mlphonon.potentials.catalogue import CatalogueEntry, read_catalogue

if TYPE_CHECKING:
    import requests

EMBEDDED_FOLDER = Path(__file__).with_name("embedded")

FOLDER_FILES = ("architecture.json", "weights.safetensors")
"""What a folder must hold to be a potential without a pickle."""

CACHE_VARIABLE = "MLPHONON_CACHE"
"""Environment variable: the folder to keep downloads in instead of the user's cache."""

OFFLINE_VARIABLE = "MLPHONON_OFFLINE"
"""Environment variable: if set (and not "0"), nothing is ever downloaded."""

CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without a byte before a download is given up."""

FileStatus = Literal["ok", "recorded", "changed", "unvouched", "unknown", "unreadable"]
"""What `verify` finds of a file: vouched for by the catalogue (ok) or by the digest of a trusted
download (recorded); not what it was (changed); in the catalogue without a digest and never
accepted (unvouched); none of the catalogue's (unknown); not readable (unreadable)."""

BAD: frozenset[FileStatus] = frozenset({"changed", "unvouched", "unreadable"})
"""The statuses under which a named potential would not be loaded."""


def store_folder() -> Path:
    """Return the folder that downloaded weights lie in; it need not exist."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given).expanduser() / "potentials"
    import pooch

    return Path(pooch.os_cache("mlphonon")) / "potentials"


def path_of(entry: CatalogueEntry) -> Path:
    """Return where the weights of `entry` lie, or would lie."""
    return EMBEDDED_FOLDER if entry.filename is None else store_folder() / entry.filename


def locate(entry: CatalogueEntry) -> Path | None:
    """Return where the weights of `entry` lie, or None if they are not here."""
    path = path_of(entry)
    if entry.ships_inside:
        return path if all((path / name).is_file() for name in FOLDER_FILES) else None
    return path if _is_file(path) else None


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, or of the potential that a folder holds.

    A folder's is that of ``cat architecture.json weights.safetensors``.

    Raises
    ------
    PotentialError
        If a file cannot be read.
    """
    digest = hashlib.sha256()
    for part in [path / name for name in FOLDER_FILES] if path.is_dir() else [path]:
        try:
            with part.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise PotentialError(f"cannot read {part}", error.strerror or str(error)) from error
    return digest.hexdigest()


def recorded_digest(path: Path) -> str | None:
    """Return the SHA-256 that was written beside a file when its download was trusted."""
    record = _record_path(path)
    if not _is_file(record):
        return None
    try:
        return record.read_text(encoding="utf-8").split(maxsplit=1)[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise PotentialError(
            f"cannot read {record}",
            str(error),
            f"delete it and {path}, and pull the potential again",
        ) from error


def vouched(path: Path, digest: str) -> bool:
    """Say whether the catalogue, or a trusted download, vouches for a file with this digest.

    A digest that lies beside a file elsewhere than in the store proves nothing: it may have
    come with the file.
    """
    if digest in {entry.sha256 for entry in read_catalogue().values()}:
        return True
    in_store = path.resolve().parent == store_folder().resolve()
    return in_store and recorded_digest(path) == digest


def untrusted_error(what: str, source: str) -> UntrustedFileError:
    """Return the error that says what trusting a pickle means, and how to say so."""
    return UntrustedFileError(
        f"{what} is a pickled model that nothing vouches for",
        "loading it runs whatever code it holds, with your rights",
        f"if you trust {source}, say so with --trust (trust=True)",
    )


def accept(entry: CatalogueEntry, digest: str, *, trust: bool = False) -> None:
    """Check the digest of weights that are here; record it if it is trusted for the first time.

    Raises
    ------
    PotentialError
        If it is not the digest that is vouched for.
    UntrustedFileError
        If none is vouched for and `trust` is false.
    """
    path = path_of(entry)
    expected = _expected_digest(entry)
    if expected is None:
        if entry.ships_inside:
            return
        if not trust:
            raise untrusted_error(str(path), f"where it came from ({entry.url})")
        _record(path, digest)
    elif digest != expected:
        raise PotentialError(
            f"{path} is not the file it should be, so it is not loaded",
            f"its SHA-256 is {digest} and should be {expected}",
            "install mlphonon again"
            if entry.ships_inside
            else f"delete it and run 'mlphonon potentials pull {entry.name}'",
        )


def pull(entry: CatalogueEntry, *, trust: bool = False, progress: bool = True) -> Path:
    """Bring the weights of `entry` to this machine, if they are not here, and check them.

    A file that was brought by hand to where it belongs is checked by the same rules.

    Parameters
    ----------
    entry : CatalogueEntry
        What to bring.
    trust : bool
        Accept a file whose SHA-256 the catalogue does not know; the digest of what came is
        recorded and checked from then on.
    progress : bool
        Say on stderr what is downloaded, with a bar if it is a terminal.

    Returns
    -------
    Path
        Where the weights lie.

    Raises
    ------
    PotentialError
        If they cannot be brought or are not what they should be; nothing is left then.
    UntrustedFileError
        If nothing vouches for them and `trust` is false.
    """
    path = path_of(entry)
    if entry.ships_inside:
        if locate(entry) is None:
            raise PotentialError(
                f"potential '{entry.name}' should ship inside but is not in {path}",
                fix="install mlphonon again",
            )
        return path
    if _is_file(path):
        accept(entry, sha256_of(path), trust=trust)
        return path
    _check_may_download(entry, trust)
    with _locked(path):
        if path.is_file():
            accept(entry, sha256_of(path), trust=trust)
        else:
            _fetch(entry, path, progress)
    return path


def verify() -> list[tuple[str, FileStatus]]:
    """Check every file in the store, and the potential that ships inside.

    Returns
    -------
    list of (str, FileStatus)
        Name of the potential (of the file, where the catalogue has none) and what was found.
    """
    entries = {entry.filename: entry for entry in read_catalogue().values()}
    inside = [e for e in entries.values() if e.ships_inside and e.sha256 and locate(e)]
    found = [(entry.name, _status(entry, path_of(entry))) for entry in inside]
    folder = store_folder()
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or path.suffix == ".sha256" or not path.is_file():
            continue
        entry = entries.get(path.name)
        found.append((entry.name if entry else path.name, _status(entry, path)))
    return found


def _is_file(path: Path) -> bool:
    # Path.is_file raises where a folder above may not be entered; such a file is not here.
    return os.path.isfile(path)


def _status(entry: CatalogueEntry | None, path: Path) -> FileStatus:
    try:
        digest = sha256_of(path)
        recorded = recorded_digest(path)
    except PotentialError:
        return "unreadable"
    if entry is not None and entry.sha256 is not None:
        return "ok" if digest == entry.sha256 else "changed"
    if recorded is not None:
        return "recorded" if digest == recorded else "changed"
    return "unknown" if entry is None else "unvouched"


def _expected_digest(entry: CatalogueEntry) -> str | None:
    if entry.sha256 is not None or entry.ships_inside:
        return entry.sha256
    return recorded_digest(path_of(entry))


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _record(path: Path, digest: str) -> None:
    """Write the digest beside the file, in the form that ``sha256sum -c`` reads."""
    record = _record_path(path)
    part = record.with_name(f".{record.name}.part")
    try:
        part.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
        part.replace(record)
    except OSError as error:
        raise PotentialError(f"cannot write {record}", error.strerror or str(error)) from error


def _how_to_bring(entry: CatalogueEntry) -> str:
    return (
        f"bring the file to {path_of(entry)} and run 'mlphonon potentials pull {entry.name}'"
        f" (another folder: {CACHE_VARIABLE})"
    )


def _check_may_download(entry: CatalogueEntry, trust: bool) -> None:
    if _expected_digest(entry) is None and not trust:
        raise untrusted_error(f"potential '{entry.name}'", str(entry.url))
    if os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
        raise PotentialError(
            f"potential '{entry.name}' is not here and {OFFLINE_VARIABLE} forbids to download"
            f" {entry.url}",
            fix=f"unset it, or {_how_to_bring(entry)}",
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Make the folder of `path` and hold its lock, so that one process downloads at a time."""
    from filelock import FileLock

    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PotentialError(
            f"cannot write into {path.parent}",
            reason,
            f"set {CACHE_VARIABLE} to a folder that can be written",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _fetch(entry: CatalogueEntry, path: Path, progress: bool) -> None:
    """Download to a hidden name, check, and only then give the file its own name."""
    part = path.with_name(f".{path.name}.part")
    try:
        _download(entry, part, progress)
        digest = sha256_of(part)
        expected = _expected_digest(entry)
        if expected is None:
            # Before the file itself: without its record it would have to be trusted again.
            _record(path, digest)
        elif digest != expected:
            raise PotentialError(
                f"what came from {entry.url} is not potential '{entry.name}', so it was deleted",
                f"its SHA-256 is {digest} and should be {expected}",
                f"try again from another network, or {_how_to_bring(entry)}"
                if entry.sha256
                else f"if it was renewed and you trust it, delete {_record_path(path)} and pull"
                " it with --trust",
            )
        part.replace(path)
    except OSError as error:
        raise PotentialError(
            f"cannot write {path}, downloaded from {entry.url}",
            error.strerror or str(error),
            f"make room, or {_how_to_bring(entry)}",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _download(entry: CatalogueEntry, part: Path, progress: bool) -> None:
    import pooch
    import requests

    if progress:
        size = f" ({entry.size_bytes / 1e6:.0f} MB)" if entry.size_bytes else ""
        print(f"pulling {entry.name}{size} from {entry.url}", file=sys.stderr)
    bar = progress and sys.stderr.isatty() and importlib.util.find_spec("tqdm") is not None
    fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)
    try:
        with part.open("wb") as file:
            fetch(entry.url, file, None)
            file.flush()
            os.fsync(file.fileno())
    except requests.RequestException as error:
        raise PotentialError(
            f"cannot download potential '{entry.name}' from {entry.url}",
            _network_reason(error),
            f"try again, or {_how_to_bring(entry)}",
        ) from error


def _network_reason(error: requests.RequestException) -> str:
    """Say in a few words what requests says in many."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"the server did not answer within {TIMEOUT:.0f} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the transfer broke off before the end of the file"
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return f"{type(error).__name__}: {str(error)[:200]}"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server; this machine may be offline"
    return f"{type(error).__name__}: {str(error)[:200]}"
