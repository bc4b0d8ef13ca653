"""A potential of the catalogue that runs in its family's environment: load it, install it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from mlphonon.errors import PotentialError
from mlphonon.potentials.isolated.isolated_potential import IsolatedPotential
from mlphonon.potentials.isolated.spec import WorkerSpec
from mlphonon.potentials.named import environments
from mlphonon.potentials.named.catalogue import CatalogueEntry, family_of, find_entry
from mlphonon.potentials.named.family import fill
from mlphonon.potentials.named.store import accept, bring, digest_of, locate, pull
from mlphonon.potentials.potential import PotentialInfo


def load_named(
    entry: CatalogueEntry,
    device: str,
    dtype: str,
    *,
    allow_pickle: bool = False,
    head: str | None = None,
) -> IsolatedPotential:
    """Start the worker of a potential whose environment is there.

    Parameters
    ----------
    entry : CatalogueEntry
        Which potential.
    device : str
        A torch device.
    dtype : {"float64", "float32"}
        The precision asked for; a family that has only the other runs in that, and its info
        says so.
    allow_pickle : bool
        Accept weights that nothing vouches for.
    head : str, optional
        Head of a multi-head model; the catalogue's by default.

    Raises
    ------
    PotentialError
        If its environment is not made, or its weights cannot be brought or loaded.
    UntrustedFileError
        If nothing vouches for its weights and `allow_pickle` is false.
    """
    family = family_of(entry)
    head = _choose_head(entry, head)
    python = environments.require(family, entry.name, _tell)
    weights = locate(entry) or pull(entry, allow_pickle=allow_pickle)
    sha256 = None
    if entry.source != "package":
        sha256 = digest_of(entry)
        accept(entry, sha256, allow_pickle=allow_pickle)
    precision = dtype if dtype in family.dtypes else family.dtypes[0]
    places = {"weights": str(weights), "device": device, "dtype": precision, "head": head}
    spec = WorkerSpec(
        python,
        family.module_path,
        family.factory,
        fill(family.arguments | entry.arguments, places),
        tuple(text.partition("==")[0].partition("[")[0] for text in environments.packages(family))
        + WorkerSpec.packages,
    )
    info = PotentialInfo(
        name=entry.name,
        backend="isolated",
        dtype=precision,
        device=device,
        elements=entry.atomic_numbers,
        cutoff=entry.cutoff,
        receptive_field=entry.receptive_field,
        sha256=sha256,
        native_dtype=family.dtypes[0],
        functional=entry.functional,
        head=head,
        conservative=entry.conservative,
        tested=entry.tested is not None,
    )
    return IsolatedPotential(spec, entry.name, info)


def install_potential(
    name: str,
    *,
    weights: str | os.PathLike[str] | None = None,
    allow_pickle: bool = False,
    anew: bool = False,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Make the environment of a potential, if it needs one, and bring its weights.

    Parameters
    ----------
    name : str
        Name or alias in the catalogue.
    weights : path, optional
        Its weights, if they are on this machine already; downloaded otherwise.
    allow_pickle : bool
        Accept weights that nothing vouches for.
    anew : bool
        Make the environment again even if it is there.
    say : callable, optional
        Told each step; stderr by default.

    Returns
    -------
    Path
        Where the weights lie.

    Raises
    ------
    PotentialError
        If the environment cannot be made or the weights cannot be brought.
    UntrustedFileError
        If nothing vouches for its weights and `allow_pickle` is false.
    """
    entry = find_entry(name)
    family = family_of(entry)
    # Weights first: a wrong file is found in a second, an environment takes minutes.
    path = None
    if weights is not None:
        path = bring(entry, Path(weights), allow_pickle=allow_pickle)
    elif entry.source != "environment":
        path = pull(entry, allow_pickle=allow_pickle)
    if not family.in_process:
        environments.make(family, say or _tell, anew=anew)
    # What comes with the package is there only now.
    return path or pull(entry, allow_pickle=allow_pickle)


def _choose_head(entry: CatalogueEntry, head: str | None) -> str | None:
    if head is not None and entry.heads and head not in entry.heads:
        raise PotentialError(
            f"potential '{entry.name}' has no head '{head}'",
            f"its heads are {', '.join(entry.heads)}",
        )
    if head is not None and "{head}" not in (family_of(entry).arguments | entry.arguments).values():
        raise PotentialError(f"potential '{entry.name}' has one head only", fix="leave --head out")
    return head or entry.default_head


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
