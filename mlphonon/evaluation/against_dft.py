"""A potential against DFT in one call."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mlphonon.evaluation.manifest import make_manifest
from mlphonon.evaluation.protocol import Protocol
from mlphonon.evaluation.references.catalogue import find_reference, select_crystals
from mlphonon.evaluation.references.download import data_folder
from mlphonon.evaluation.references.files import file_digests
from mlphonon.evaluation.references.reference import ReferenceSet
from mlphonon.evaluation.runner import in_this_process, run
from mlphonon.evaluation.scores import Scores
from mlphonon.potentials.loading import load_potential


def evaluate(
    potential: Any,
    reference: str | ReferenceSet = "phonondb-103",
    *,
    data: str | Path | None = None,
    protocol: Protocol | None = None,
    folder: str | Path | None = None,
    limit: int | None = None,
) -> Scores:
    """Compute the phonons of every crystal of a reference set, and compare them with DFT's.

    Parameters
    ----------
    potential : str, path, ASE calculator or Potential
        What is judged.
    reference : str or ReferenceSet
        Name of a set (``mlphonon benchmark list``), ``"folder"`` for one's own DFT in `data`, or
        a set of one's own making.
    data : str or Path, optional
        Folder that holds the set's files; they are downloaded otherwise, where they can be.
    protocol : Protocol, optional
        How; the default otherwise.
    folder : str or Path, optional
        Where records are kept, and from where an interrupted evaluation goes on. Without one
        they are not kept.
    limit : int, optional
        Only so many crystals: a fair sample, and part of every larger one.

    Returns
    -------
    Scores

    Raises
    ------
    MlphononError
        If the potential, the data or the folder cannot be used.
    """
    engine = load_potential(potential)
    given = None if data is None else Path(data)
    found = reference if isinstance(reference, ReferenceSet) else find_reference(reference, given)
    place = data_folder(found, given)
    manifest = make_manifest(found.name, file_digests(found, place), engine, protocol or Protocol())
    crystals = select_crystals(found, place, limit)
    scorer = in_this_process(engine, manifest)
    if folder is not None:
        records = Path(folder)
        return Scores(manifest, tuple(run(crystals, scorer, manifest, records)), records)
    with TemporaryDirectory() as passing:
        return Scores(manifest, tuple(run(crystals, scorer, manifest, Path(passing))))
