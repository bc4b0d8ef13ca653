"""A potential over a set of references: one record for each crystal, resumed after any end.

A folder of results holds ``manifest.json`` and ``crystals/KEY.json`` (numbers) and ``.npz``
(curves). Asked again with the same manifest, only what is missing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

from mlphonon.errors import ResultError
from mlphonon.evaluation.manifest import Manifest, claim
from mlphonon.evaluation.record import CrystalScore, Curves, read_record, write_record
from mlphonon.evaluation.references.reference import Crystals, ReferenceCrystal
from mlphonon.evaluation.scoring import score_crystal
from mlphonon.potentials.potential import Potential

CRYSTALS = "crystals"

Scored = tuple[CrystalScore, Curves | None]
Scorer = Callable[[Iterable[ReferenceCrystal]], Iterator[Scored]]
"""From crystals to their scores, in any order."""


def run(
    crystals: Crystals,
    scorer: Scorer,
    manifest: Manifest,
    folder: Path,
    progress: Callable[[CrystalScore], None] | None = None,
    retry_failed: bool = False,
) -> list[CrystalScore]:
    """Score every crystal that has no record in `folder` yet; return the scores of all of them.

    Parameters
    ----------
    crystals : mapping
        What reads each crystal of DFT's, by key; only those without a record are read.
    scorer : callable
        `in_this_process` or `in_workers`.
    manifest : Manifest
        What the records are pinned to.
    folder : Path
        Where they are kept.
    progress : callable, optional
        Given each score as soon as it is there.
    retry_failed : bool
        Compute anew those whose record holds a failure.

    Raises
    ------
    ResultError
        If the folder holds results of another manifest, or cannot be written or read.
    """
    claim(folder, manifest)
    records = folder / CRYSTALS
    scores: dict[str, CrystalScore | None] = dict.fromkeys(crystals)

    def take(score: CrystalScore) -> None:
        scores[score.key] = score
        if progress is not None:
            progress(score)

    def missing() -> Iterator[ReferenceCrystal]:
        for key, read in crystals.items():
            path = records / f"{key}.json"
            found = read_record(path) if path.is_file() else None
            if found is None or (retry_failed and found.failed):
                yield read()
            else:
                take(found)

    for score, curves in scorer(missing()):
        try:
            write_record(records, score, curves)
        except OSError as error:
            raise ResultError(f"cannot write {records}", error.strerror or str(error)) from error
        take(score)
    return [score for score in scores.values() if score is not None]


def in_this_process(potential: Potential, manifest: Manifest) -> Scorer:
    """Return a scorer that takes one crystal after the other."""
    return lambda crystals: (score_crystal(one, potential, manifest.protocol) for one in crystals)


def in_workers(load: Callable[[], Potential], manifest: Manifest, workers: int) -> Scorer:
    """Return a scorer with `workers` processes, each with a potential and its share of the cores.

    Parameters
    ----------
    load : callable
        Loads the potential; must be picklable.
    manifest : Manifest
        Holds the protocol.
    workers : int
        Number of processes.
    """
    from mlphonon.evaluation.pool import score_here, worker_pool

    def score(crystals: Iterable[ReferenceCrystal]) -> Iterator[Scored]:
        with worker_pool(workers, load, manifest.protocol) as pool:
            yield from _windowed(pool, score_here, iter(crystals), 2 * workers)

    return score


def _windowed(
    pool: ProcessPoolExecutor,
    task: Callable[[ReferenceCrystal], Scored],
    crystals: Iterator[ReferenceCrystal],
    width: int,
) -> Iterator[Scored]:
    """Keep `width` crystals in the pool: a set of thousands is never in memory as a whole."""
    waiting = {pool.submit(task, crystal) for crystal in islice(crystals, width)}
    while waiting:
        done = next(as_completed(waiting))
        waiting.remove(done)
        waiting |= {pool.submit(task, crystal) for crystal in islice(crystals, 1)}
        yield done.result()
