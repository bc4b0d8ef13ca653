"""The weights on this machine: where they lie, how they come, whether they are what they were.

A pickled model runs code when it is loaded, so a file is only used if its SHA-256 is vouched
for: by the catalogue, or by the digest that was written beside it when a user trusted the
download. Only `pull` touches the network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from mlphonon.errors import PotentialError, UntrustedFileError
from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.named.cache import (
    CACHE_VARIABLE,
    OFFLINE_VARIABLE,
    cache_folder,
    is_offline,
    locked,
)
from mlphonon.potentials.named.catalogue import CatalogueEntry, family_of, read_catalogue
from mlphonon.potentials.named.downloading import DownloadError, download
from mlphonon.potentials.named.environments import site_packages

EMBEDDED_FOLDER = Path(__file__).parents[1] / "embedded"

FOLDER_FILES = ("architecture.json", "weights.safetensors")
"""What a folder must hold to be a potential without a pickle."""

PACKAGE_SUFFIX = ".by-its-package"
"""Of the record that a user trusts what the package of a family fetches."""

CHUNK = 1 << 20


def store_folder() -> Path:
    """Return the folder that downloaded weights lie in; it need not exist."""
    return cache_folder() / "potentials"


def path_of(entry: CatalogueEntry) -> Path:
    """Return where the weights of `entry` lie, or would lie.

    Those that the package of its family fetches are somewhere else, known to that package;
    the path is then that of the record of trust in it.
    """
    if entry.source == "inside":
        return EMBEDDED_FOLDER
    if entry.packaged is not None:
        return site_packages(family_of(entry)) / entry.packaged
    return store_folder() / (entry.filename or f"{entry.name}{PACKAGE_SUFFIX}")


def locate(entry: CatalogueEntry) -> Path | None:
    """Return where the weights of `entry` lie, or None if they are not here."""
    path = path_of(entry)
    return path if all(is_file(part) for part in _parts(path, _contents(entry))) else None


def sha256_of(path: Path, contents: Sequence[str] = FOLDER_FILES) -> str:
    """Return the SHA-256 of a file, or of the files of a folder end to end.

    Raises
    ------
    PotentialError
        If a file cannot be read.
    """
    digest = hashlib.sha256()
    for part in _parts(path, contents) if path.is_dir() else [path]:
        try:
            with part.open("rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise PotentialError(f"cannot read {part}", error.strerror or str(error)) from error
    return digest.hexdigest()


def digest_of(entry: CatalogueEntry) -> str:
    """Return the SHA-256 of the weights of `entry`, which are here.

    Raises
    ------
    PotentialError
        If they cannot be read.
    """
    return sha256_of(path_of(entry), _contents(entry))


def _contents(entry: CatalogueEntry) -> tuple[str, ...]:
    return FOLDER_FILES if entry.source == "inside" else entry.contents


def _parts(path: Path, contents: Sequence[str]) -> list[Path]:
    return [path / name for name in contents] or [path]


def recorded_digest(path: Path) -> str | None:
    """Return the SHA-256 that was written beside a file when its download was trusted."""
    record = _record_path(path)
    if not is_file(record):
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
        f"if you trust {source}, say so with --allow-pickle (allow_pickle=True)",
    )


def accept(entry: CatalogueEntry, digest: str, *, allow_pickle: bool = False) -> None:
    """Check the digest of weights that are here; record it if it is trusted for the first time.

    Raises
    ------
    PotentialError
        If it is not the digest that is vouched for.
    UntrustedFileError
        If none is vouched for and `allow_pickle` is false.
    """
    path = path_of(entry)
    expected = _expected_digest(entry)
    if expected is None:
        if entry.ships_inside:
            return
        if not allow_pickle:
            raise untrusted_error(str(path), f"where it came from ({entry.url})")
        _record(path, digest)
    elif digest != expected:
        raise PotentialError(
            f"{path} is not the file it should be, so it is not loaded",
            f"its SHA-256 is {digest} and should be {expected}",
            _how_to_restore(entry),
        )


def pull(entry: CatalogueEntry, *, allow_pickle: bool = False, progress: bool = True) -> Path:
    """Bring the weights of `entry` to this machine, if they are not here, and check them.

    A file that was brought by hand to where it belongs is checked by the same rules.

    Parameters
    ----------
    entry : CatalogueEntry
        What to bring.
    allow_pickle : bool
        Accept a file whose SHA-256 the catalogue does not know; the digest of what came is
        recorded and checked from then on. Or, where the package of its family fetches the
        weights, trust what that package fetches.
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
        If nothing vouches for them and `allow_pickle` is false.
    """
    if entry.source == "package":
        return _trust_package(entry, allow_pickle)
    path = path_of(entry)
    if locate(entry) is not None:
        accept(entry, digest_of(entry), allow_pickle=allow_pickle)
        return path
    if entry.source != "download":
        raise PotentialError(
            f"potential '{entry.name}' should be in {path} but is not there",
            fix=_how_to_restore(entry),
        )
    _check_may_download(entry, allow_pickle)
    with locked(path):
        if locate(entry) is None:
            _place(entry, lambda part: _download(entry, part, progress), str(entry.url))
        else:
            accept(entry, digest_of(entry), allow_pickle=allow_pickle)
    return path


def bring(entry: CatalogueEntry, given: Path, *, allow_pickle: bool = False) -> Path:
    """Copy weights that the user has to where they belong, and check them.

    Parameters
    ----------
    entry : CatalogueEntry
        What they are.
    given : Path
        The file, or the folder of a potential that is a folder.
    allow_pickle : bool
        Accept weights whose SHA-256 the catalogue does not know.

    Returns
    -------
    Path
        Where they lie now.

    Raises
    ------
    PotentialError
        If they are not there, or are not what they should be.
    UntrustedFileError
        If nothing vouches for them and `allow_pickle` is false.
    """
    if entry.source != "download":
        raise PotentialError(
            f"potential '{entry.name}' takes no file of weights",
            "they come with its package or are fetched by it",
            "leave --weights out",
        )
    if missing := [part for part in _parts(given, entry.contents) if not is_file(part)]:
        raise PotentialError(
            f"there is no file {missing[0]}", fix=f"give the weights of '{entry.name}'"
        )
    if _expected_digest(entry) is None and not allow_pickle:
        raise untrusted_error(str(given), "where it came from")

    def copy(part: Path) -> None:
        if entry.contents:
            part.mkdir()
            for name in entry.contents:
                shutil.copyfile(given / name, part / name)
        else:
            shutil.copyfile(given, part)

    path = path_of(entry)
    with locked(path):
        _place(entry, copy, str(given))
    return path


def is_file(path: Path) -> bool:
    """Whether a file is there and may be seen."""
    # Path.is_file raises where a folder above may not be entered; such a file is not here.
    return os.path.isfile(path)


def _expected_digest(entry: CatalogueEntry) -> str | None:
    if entry.sha256 is not None or entry.ships_inside:
        return entry.sha256
    return recorded_digest(path_of(entry))


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _record(path: Path, digest: str) -> None:
    """Write the digest beside the file, in the form that ``sha256sum -c`` reads."""
    _write_record(_record_path(path), f"{digest}  {path.name}\n")


def _write_record(record: Path, text: str) -> None:
    try:
        write_whole(record, text)
    except OSError as error:
        raise PotentialError(f"cannot write {record}", error.strerror or str(error)) from error


def _how_to_restore(entry: CatalogueEntry) -> str:
    """Say how weights that are wrong or lost are put right, by where they come from."""
    if entry.ships_inside:
        return "install mlphonon again"
    if entry.source == "environment":
        return f"run 'mlphonon potentials install {entry.name} --anew'"
    return f"delete it and run 'mlphonon potentials pull {entry.name}'"


def _how_to_bring(entry: CatalogueEntry) -> str:
    return (
        f"bring it to {path_of(entry)} and run 'mlphonon potentials pull {entry.name}'"
        f" (another folder: {CACHE_VARIABLE})"
    )


def _check_may_download(entry: CatalogueEntry, allow_pickle: bool) -> None:
    if _expected_digest(entry) is None and not allow_pickle:
        raise untrusted_error(f"potential '{entry.name}'", str(entry.url))
    if is_offline():
        raise PotentialError(
            f"potential '{entry.name}' is not here and {OFFLINE_VARIABLE} forbids to download"
            f" {entry.url}",
            fix=f"unset it, or {_how_to_bring(entry)}",
        )


def _trust_package(entry: CatalogueEntry, allow_pickle: bool) -> Path:
    """Check, or record, that the user trusts what the package of a family fetches by itself."""
    path = path_of(entry)
    if is_file(path):
        return path
    if not allow_pickle:
        raise untrusted_error(
            f"what {entry.family} will fetch for potential '{entry.name}'", "its source"
        )
    with locked(path):
        _write_record(path, f"{entry.name}: the user trusts what {entry.family} fetches\n")
    return path


def _place(entry: CatalogueEntry, fill: Callable[[Path], None], source: str) -> None:
    """Fill a scratch folder, check what came, and only then give it its own name.

    The caller holds the lock of that name.
    """
    path = path_of(entry)
    for left in path.parent.glob(f".{path.name}-*"):  # by a process that was killed
        _remove(left)
    # A name that nobody can have laid a link under.
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    part = scratch / path.name
    try:
        fill(part)
        digest = sha256_of(part, _contents(entry))
        expected = _expected_digest(entry)
        if expected is None:
            # Before the file itself: without its record it would have to be trusted again.
            _record(path, digest)
        elif digest != expected:
            raise PotentialError(
                f"what came from {source} is not potential '{entry.name}', so it was not kept",
                f"its SHA-256 is {digest} and should be {expected}",
                f"try again from another network, or {_how_to_bring(entry)}"
                if entry.sha256
                else f"if it was renewed and you trust it, delete {_record_path(path)} and pull"
                " it with --allow-pickle",
            )
        if path.is_dir():
            _remove(path)
        part.replace(path)
    except OSError as error:
        raise PotentialError(
            f"cannot write {path}, from {source}",
            error.strerror or str(error),
            f"make room, or {_how_to_bring(entry)}",
        ) from error
    finally:
        _remove(scratch)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _download(entry: CatalogueEntry, part: Path, progress: bool) -> None:
    if progress:
        size = f" ({entry.size_bytes / 1e6:.0f} MB)" if entry.size_bytes else ""
        print(f"pulling {entry.name}{size} from {entry.url}", file=sys.stderr)
    if entry.contents:
        part.mkdir()
    for file in _parts(part, entry.contents):
        url = str(entry.url) + (f"/{file.name}" if entry.contents else "")
        try:
            download(url, file, entry.size_bytes, progress)
        except DownloadError as error:
            raise PotentialError(
                f"cannot download potential '{entry.name}' from {url}",
                str(error),
                f"try again, or {_how_to_bring(entry)}",
            ) from error
