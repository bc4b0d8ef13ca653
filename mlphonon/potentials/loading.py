"""From a name, a file, a folder, a calculator to a `Potential`."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlphonon.errors import PotentialError
from mlphonon.potentials.dispersion import SUFFIX, with_dispersion
from mlphonon.potentials.isolated.isolated_potential import IsolatedPotential
from mlphonon.potentials.isolated.spec import PREFIX, parse_spec
from mlphonon.potentials.named.catalogue import CatalogueEntry, family_of, find_entry, known_names
from mlphonon.potentials.named.installation import load_named
from mlphonon.potentials.named.store import (
    FOLDER_FILES,
    accept,
    locate,
    pull,
    sha256_of,
    untrusted_error,
    vouched,
)
from mlphonon.potentials.potential import Potential
from mlphonon.potentials.several import refuse_several
from mlphonon.potentials.training_space import FILE as TRAINING_SPACE
from mlphonon.potentials.training_space import load_training_space
from mlphonon.system.quiet import libraries_muted

if TYPE_CHECKING:
    import torch
    from ase.calculators.calculator import Calculator

    from mlphonon.potentials.mace.mace_potential import WeightsInfo
    from mlphonon.potentials.training_space import TrainingSpace

FILE_SUFFIXES = (".model", ".pt", ".pth", ".safetensors")
"""A string that ends so is taken for a path, never for a name of the catalogue."""

FINETUNED = "potential.model"
"""What 'mlphonon finetune' calls the pickled model in its folder."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Options:
    device: str
    dtype: str
    allow_pickle: bool
    head: str | None
    kernels: str


@libraries_muted()
def load_potential(
    potential: str | os.PathLike[str] | Potential | Calculator,
    *,
    device: str = "auto",
    dtype: str = "float64",
    allow_pickle: bool = False,
    head: str | None = None,
    kernels: str = "auto",
) -> Potential:
    """Return a potential that is ready to evaluate structures.

    Parameters
    ----------
    potential : str, path, Potential or ASE calculator
        ``"embedded"``; another name of the catalogue: a MACE is downloaded if it is not here
        (asking by name is asking for that; ``MLPHONON_OFFLINE=1`` forbids it), any other runs
        in an environment that ``mlphonon potentials install`` makes; the path of a folder with
        ``weights.safetensors`` and ``architecture.json``; the path of a pickled MACE
        (``.model``, ``.pt``); or a calculator in an environment of the user's own,
        ``"python:/path/to/env:module:factory?argument=value"`` (see
        `mlphonon.potentials.isolated.spec`). A `Potential` is returned as it is,
        an ASE calculator is wrapped; the other arguments do not touch these two.
    device : str
        ``"auto"`` (a GPU if there is one), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
    dtype : {"float64", "float32"}
        Precision. Differences of forces need float64. A program that has only one precision
        runs in that (see `Potential.info`).
    allow_pickle : bool
        Load a pickled model that neither the catalogue nor an earlier, trusted download
        vouches for. This runs whatever code the file holds.
    head : str, optional
        Head of a potential with several; by default the catalogue's. A file with several needs
        one.
    kernels : {"auto", "plain"}
        For a MACE: the fastest arithmetic there is, or mace's own to compare with.

    Raises
    ------
    PotentialError
        If it is unknown, cannot be brought, read or used, or the device is not there.
    UntrustedFileError
        If it is a pickled model that nothing vouches for and `allow_pickle` is false.
    """
    if not isinstance(potential, str | os.PathLike):
        return _wrap(potential)
    if dtype not in ("float32", "float64"):
        raise PotentialError(f"dtype '{dtype}' is unknown", fix="use float32 or float64")
    if kernels not in ("auto", "plain"):
        raise PotentialError(f"kernels '{kernels}' are unknown", fix="use auto or plain")
    options = _Options(resolve_device(device), dtype, allow_pickle, head, kernels)
    if str(potential).startswith(PREFIX):
        return IsolatedPotential(parse_spec(str(potential), options.device), str(potential))
    if _is_path(potential):
        return _build(*_read_path(Path(potential).expanduser(), options), options)
    entry = find_entry(str(potential))
    if entry.tested is None:
        _log.warning(
            "potential '%s' is untested: the makers of mlphonon could not run it; see what"
            " 'mlphonon potentials check %s' says",
            entry.name,
            entry.name,
        )
    if not family_of(entry).in_process:
        return load_named(entry, options.device, dtype, allow_pickle=allow_pickle, head=head)
    options = replace(options, head=head or entry.default_head)
    return _build(*_read_entry(entry, options), options)


def reload(
    record: Mapping[str, Any], *, device: str = "auto", allow_pickle: bool = False
) -> Potential:
    """Load the potential that a result was made with: same weights, head, precision and kernels.

    Parameters
    ----------
    record : mapping
        What `PotentialInfo.as_dict` wrote, as the ``potential`` of a result's record.
    device : str
        As `load_potential` takes it.
    allow_pickle : bool
        As `load_potential` takes it.

    Raises
    ------
    PotentialError
        If it is not found by its name, the record does not say which weights and head it was, or
        its weights are others now.
    """
    name = str(record["name"])
    by_hand = "give the potential, as it was loaded then"
    if record.get("sha256") is None:
        raise PotentialError(
            f"potential '{name}' cannot be loaded by its name",
            "the record does not say which weights it had",
            by_hand,
        )
    dispersion, dtype = record.get("dispersion"), record.get("dtype")
    try:
        found = load_potential(
            name.removesuffix(SUFFIX) if dispersion else name,
            device=device,
            dtype=dtype if dtype in ("float32", "float64") else "float64",
            allow_pickle=allow_pickle,
            head=record.get("head"),
            kernels="plain" if record.get("kernels") == "e3nn" else "auto",
        )
    except PotentialError as error:
        raise type(error)(
            f"potential '{name}' cannot be loaded again", str(error), by_hand
        ) from error
    if dispersion:
        found = with_dispersion(found, dispersion)
    if found.info.sha256 != record["sha256"]:
        raise PotentialError(
            f"the weights of potential '{name}' are others than those of the result",
            f"{str(found.info.sha256)[:8]}... and {str(record['sha256'])[:8]}...",
            f"compute it again, or {by_hand}",
        )
    if found.info.head is not None and "head" not in record:
        raise PotentialError(
            f"potential '{name}' has several heads",
            "the record does not say which was used",
            by_hand,
        )
    return found


def check_name(potential: str) -> None:
    """Raise `PotentialError` if this is a name that the catalogue does not know.

    Nothing is loaded: it is for those who will load several, one after the other.
    """
    if not potential.startswith(PREFIX) and not _is_path(potential):
        find_entry(potential)


def resolve_device(device: str) -> str:
    """Return the torch device that ``"auto"`` stands for, or `device` if it is there.

    Raises
    ------
    PotentialError
        If it is unknown or not there.
    """
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    choices = "use auto, cpu, cuda or, with several GPUs, cuda:N"
    try:
        asked = torch.device(device)
    except RuntimeError as error:
        raise PotentialError(f"device '{device}' is unknown", fix=choices) from error
    if asked.type not in ("cpu", "cuda"):
        raise PotentialError(f"device '{device}' cannot be used", fix=choices)
    if asked.type == "cuda" and not torch.cuda.is_available():
        raise PotentialError(
            f"device '{device}' is not there",
            "torch finds no GPU with CUDA here",
            "use --device cpu, or install a torch with CUDA and its driver",
        )
    if asked.type == "cuda" and (asked.index or 0) >= torch.cuda.device_count():
        raise PotentialError(
            f"device '{device}' is not there",
            f"this machine has {torch.cuda.device_count()} GPU(s), counted from 0",
        )
    return device


def _wrap(potential: Any) -> Potential:
    if isinstance(potential, Potential):
        return potential
    refuse_several(potential)
    if hasattr(potential, "implemented_properties") and hasattr(potential, "get_forces"):
        from mlphonon.potentials.calculator import AsePotential

        return AsePotential(potential)
    raise PotentialError(
        f"a {type(potential).__name__} is no potential",
        fix="give a name of the catalogue, a path, an ASE calculator or a Potential",
    )


def _is_path(potential: str | os.PathLike[str]) -> bool:
    """Tell a path from a name; a bare word that is a name of the catalogue is a name."""
    if not isinstance(potential, str):
        return True
    if potential.endswith(FILE_SUFFIXES) or "/" in potential or os.sep in potential:
        return True
    return potential.strip().lower() not in known_names() and Path(potential).exists()


def _read_entry(entry: CatalogueEntry, options: _Options) -> tuple[torch.nn.Module, WeightsInfo]:
    from mlphonon.potentials.mace.mace_potential import WeightsInfo
    from mlphonon.potentials.mace.pickled import unpickle_model

    path = locate(entry) or pull(entry, allow_pickle=options.allow_pickle)
    info = WeightsInfo(entry.name, functional=entry.functional, tested=entry.tested is not None)
    if entry.ships_inside:
        digest = sha256_of(path)
        accept(entry, digest)
        model = _read_folder(path, options)
        return model, replace(info, sha256=digest, training_space=_read_training_space(path))
    data = _read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    accept(entry, digest, allow_pickle=options.allow_pickle)
    return unpickle_model(data, path), replace(info, sha256=digest)


def _read_path(path: Path, options: _Options) -> tuple[torch.nn.Module, WeightsInfo]:
    from mlphonon.potentials.mace.mace_potential import WeightsInfo
    from mlphonon.potentials.mace.pickled import unpickle_model

    folder = path.parent if path.name in FOLDER_FILES else path
    if folder.is_dir():
        model, space = _read_folder(folder, options), _read_training_space(folder)
        info = WeightsInfo(folder.resolve().name, sha256_of(folder), training_space=space)
        return model, info
    if not path.is_file():
        raise PotentialError(
            f"{path} is a pipe or a device" if path.exists() else f"there is no file {path}",
            fix="give the path of a model, or a name from 'mlphonon potentials list'",
        )
    data = _read_bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    if not (options.allow_pickle or vouched(path, digest)):
        raise untrusted_error(str(path), "where it came from")
    # Beside other pickles it may belong to any of them.
    space = _read_training_space(path.parent) if path.name == FINETUNED else None
    return unpickle_model(data, path), WeightsInfo(path.name, digest, training_space=space)


def _read_folder(folder: Path, options: _Options) -> torch.nn.Module:
    from mlphonon.potentials.mace.architecture import load_weights

    if missing := [name for name in FOLDER_FILES if not (folder / name).is_file()]:
        raise PotentialError(
            f"folder {folder} holds no potential",
            f"{' and '.join(missing)} not found in it",
            f"give a folder with {' and '.join(FOLDER_FILES)}",
        )
    return load_weights(folder, options.dtype)


def _read_training_space(folder: Path) -> TrainingSpace | None:
    path = folder / TRAINING_SPACE
    return load_training_space(path) if path.is_file() else None


def _read_bytes(path: Path) -> bytes:
    """Read a whole file, so that what is checked is what is loaded."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PotentialError(f"cannot read {path}", error.strerror or str(error)) from error


def _build(model: torch.nn.Module, weights: WeightsInfo, options: _Options) -> Potential:
    from mlphonon.potentials.mace.mace_potential import MacePotential

    return MacePotential(
        model,
        weights,
        head=options.head,
        device=options.device,
        dtype=options.dtype,
        kernels=options.kernels,
    )
