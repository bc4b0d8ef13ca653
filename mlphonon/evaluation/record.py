"""What a run keeps of each crystal: numbers as JSON, and the curves behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from mlphonon.errors import ResultError
from mlphonon.evaluation.bands import ReferencePoints
from mlphonon.evaluation.metrics.spectrum import Spectrum
from mlphonon.io.atomic_files import atomic_file, write_whole
from mlphonon.io.npz import read_npz
from mlphonon.phonons.results import BandStructure
from mlphonon.trust.verdict import Trust

Structure = Literal["relaxed", "dft"]
"""The crystal at the potential's own minimum, or as DFT has it."""


class Comparison(BaseModel):
    """Phonons of one crystal at one structure beside those of DFT.

    Attributes
    ----------
    failure : str, optional
        Why there are no numbers.
    errors : dict
        Potential minus DFT, by name (`mlphonon.report.accuracy.tables` says what each is).
    stable : dict
        The potential's verdict by each rule.
    trust : Trust, optional
        What the phonons say of themselves.
    rms_THz : float, optional
        Root mean square frequency of the potential's phonons: the scale of errors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    failure: str | None = None
    errors: dict[str, float] = {}
    stable: dict[str, bool] = {}
    trust: Trust | None = None
    rms_THz: float | None = None


class CrystalScore(BaseModel):
    """How right a potential is about one crystal.

    Attributes
    ----------
    key : str
        Its name in the reference set.
    formula : str
        Reduced.
    elements : tuple of str
        Those in it.
    relaxed, dft : Comparison
        At the potential's minimum, and at the structure of DFT; None if not asked for.
    stable_dft : dict
        DFT's verdict by each rule that its data allow.
    seconds : float
        Wall time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    formula: str
    elements: tuple[str, ...]
    relaxed: Comparison | None = None
    dft: Comparison | None = None
    stable_dft: dict[str, bool] = {}
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether there are no numbers at one of the structures asked for."""
        return any(one is not None and one.failure is not None for one in (self.relaxed, self.dft))

    def at(self, structure: Structure) -> Comparison | None:
        """Return the comparison at one structure."""
        return self.relaxed if structure == "relaxed" else self.dft


@dataclass(frozen=True)
class Curves:
    """Frequencies behind the numbers of one crystal, at the first structure of the protocol.

    Attributes
    ----------
    ours, dft : Spectrum
        On the same mesh, unless DFT gave a density of states.
    bands : BandStructure
        The potential's dispersion.
    points : ReferencePoints, optional
        DFT's along its path.
    """

    ours: Spectrum
    dft: Spectrum
    bands: BandStructure
    points: ReferencePoints | None = None


def write_record(folder: Path, score: CrystalScore, curves: Curves | None) -> None:
    """Write ``KEY.npz`` and then ``KEY.json``, each whole or not at all: with the second it counts.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if curves is not None:
        with atomic_file(folder / f"{score.key}.npz") as part, part.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **_arrays(curves))
    write_whole(folder / f"{score.key}.json", score.model_dump_json(indent=1))


def read_record(path: Path) -> CrystalScore:
    """Return the numbers of one crystal from its ``.json``.

    Raises
    ------
    ResultError
        If they cannot be read.
    """
    try:
        return CrystalScore.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise ResultError(
            f"cannot read {path}", str(error).splitlines()[0], "delete it and run again"
        ) from error


def read_curves(path: Path) -> Curves | None:
    """Return the curves of one crystal from its ``.npz``; None if it has none.

    Raises
    ------
    ResultError
        If they cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return _curves(read_npz(path))
    except (OSError, ValueError, KeyError) as error:
        raise ResultError(
            f"cannot read {path}", str(error).splitlines()[0], "delete it and run again"
        ) from error


def _arrays(curves: Curves) -> dict[str, np.ndarray]:
    """Return what goes into the file; 1e-6 THz is below any error there is."""
    bands, points = curves.bands, curves.points
    arrays = {
        "our_frequencies": np.round(curves.ours.frequencies, 6),
        "our_weights": curves.ours.weights,
        "dft_frequencies": np.round(curves.dft.frequencies, 6),
        "dft_weights": curves.dft.weights,
        "path_lengths": np.array([len(piece) for piece in bands.distances]),
        "path_labels": np.array(bands.labels, dtype=str),
        "path_qpoints": np.concatenate(bands.segments),
        "path_distances": np.concatenate(bands.distances),
        "path_frequencies": np.round(np.concatenate(bands.frequencies), 6),
    }
    if points is None:
        return arrays
    return arrays | {
        "point_distances": points.distances,
        "point_frequencies": np.round(points.frequencies, 6),
    }


def _curves(found: Mapping[str, np.ndarray]) -> Curves:
    ends = np.cumsum(found["path_lengths"])[:-1]

    def pieces(name: str) -> tuple[np.ndarray, ...]:
        return tuple(np.split(found[name], ends))

    labels = tuple((str(first), str(last)) for first, last in found["path_labels"])
    points = None
    if "point_distances" in found:
        points = ReferencePoints(found["point_distances"], found["point_frequencies"])
    return Curves(
        ours=Spectrum(found["our_frequencies"], found["our_weights"]),
        dft=Spectrum(found["dft_frequencies"], found["dft_weights"]),
        bands=BandStructure(
            pieces("path_qpoints"), pieces("path_distances"), pieces("path_frequencies"), labels
        ),
        points=points,
    )
