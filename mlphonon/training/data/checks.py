"""What is wrong with labels, found before anything is learned from them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from mlphonon.errors import TrainingError
from mlphonon.training.data.frame import UNKNOWN, Frame, TrainingData
from mlphonon.units import THZ_OF_STIFFNESS

NET_FORCE = 0.05
"""eV/A for each atom; forces of an isolated system add up to zero, those of DFT nearly."""

TOLERANCE = 3.0
"""By which factor the slope of energies along forces and stresses may differ from one: far from
rest the identity holds roughly. Wrong units are off by 14 and more, wrong signs by a sign."""

NEAR = (0.15, 0.8)
"""Strain and displacement (A) between frames that are compared; more means another supercell."""

FEWEST_PAIRS = 4
"""Of frames that differ enough, without which units are not judged."""

OUTLIER = 20.0
"""Times the root mean square of all forces."""

STIFF = 5.0
"""Times the median of the frequencies that second derivatives say, crystal by crystal."""


def check_data(data: TrainingData, mixed: bool = False) -> list[str]:
    """Refuse data that are nonsense, and return what else was noticed.

    Parameters
    ----------
    data : TrainingData
        Frames and curvatures.
    mixed : bool
        Allow several functionals.

    Raises
    ------
    TrainingError
        If functionals are mixed, forces do not add up to zero, or energies do not follow forces or
        stresses, as with wrong units or signs.
    """
    if not data.frames and not data.curvatures:
        raise TrainingError("there are no labelled structures", fix="give files that hold some")
    notes = _check_functionals(data, mixed)
    if data.frames:
        _check_net_forces(data.frames)
        _check_slopes(data.frames)
        _check_curvatures(data.frames)
        notes += _note_duplicates(data.frames)
        notes += _note_outliers(data.frames)
        notes += _note_stiff(data.frames)
    return notes


def check_no_leak(data: TrainingData, held: TrainingData) -> None:
    """Refuse a formula that is both learned from and held out.

    Raises
    ------
    TrainingError
        With the formulas.
    """
    if both := sorted(set(data.formulas) & set(held.formulas)):
        raise TrainingError(
            f"{', '.join(both[:5])} {'is' if len(both) == 1 else 'are'} both held out and not",
            "frames of one formula are near relatives, so nothing would be tested",
            "take them out of one of the two",
        )


def _check_functionals(data: TrainingData, mixed: bool) -> list[str]:
    counts = Counter(origin.functional for origin in data.origins)
    known = sorted(counts.keys() - {UNKNOWN})
    if len(known) > 1 and not mixed:
        raise TrainingError(
            f"the data mix functionals: {', '.join(f'{n} ({counts[n]})' for n in known)}",
            "their energies and lattice constants differ",
            "leave one out, or insist with --mixed",
        )
    if counts[UNKNOWN]:
        return [f"the functional of {counts[UNKNOWN]} is not known; say it with --functional"]
    return []


def _check_net_forces(frames: Sequence[Frame]) -> None:
    wrong = [
        frame
        for frame in frames
        if np.linalg.norm(frame.forces.sum(axis=0)) / len(frame.atoms) > NET_FORCE
    ]
    if wrong:
        raise TrainingError(
            f"the forces of {len(wrong)} of {len(frames)} frames do not add up to zero, as of one"
            f" of {wrong[0].formula} in {wrong[0].origin.source}",
            f"{NET_FORCE:g} eV/A for each atom is allowed",
            "look whether they are complete and in the order of the atoms",
        )


def _check_slopes(frames: Sequence[Frame]) -> None:
    """Compare differences of energy with work done by forces and stresses.

    Between two frames of one crystal, dE = -F.du + V sigma:strain with the means of both ends, an
    identity to second order; over all pairs, both terms must have a factor of one.
    """
    rows = np.array(list(_work_of_pairs(frames)))
    if len(rows) < FEWEST_PAIRS:
        return
    energy, by_forces, by_stress = rows.T
    terms, names = [by_forces], ["forces"]
    if np.linalg.norm(by_stress) > 1e-6 * np.linalg.norm(energy):
        terms, names = [by_forces, by_stress], ["forces", "stresses"]
    factors, *_ = np.linalg.lstsq(np.column_stack(terms), energy, rcond=None)
    for name, factor in zip(names, factors, strict=True):
        if not 1 / TOLERANCE < factor < TOLERANCE:
            raise TrainingError(
                f"energies change by {factor:.3g} times what {name} say",
                "wrong units, or a wrong sign"
                + (" (stress is positive under tension, in eV/A^3)" if name == "stresses" else ""),
                "put them right, or leave the file out",
            )


def _check_curvatures(frames: Sequence[Frame]) -> None:
    """Refuse second derivatives of the wrong sign: crystals resist most displacements."""
    along = np.array(
        [
            float((way * response).sum())
            for frame in frames
            for way, response in zip(frame.directions, frame.responses, strict=True)
        ]
    )
    if along.size and (along < 0).mean() > 0.5:
        raise TrainingError(
            f"second derivatives are negative along {np.sum(along < 0)} of {along.size} directions",
            "crystals would fall apart; they are the change of the energy's slope, not of forces",
            "turn their sign",
        )


def _work_of_pairs(frames: Sequence[Frame]) -> Iterator[tuple[float, float, float]]:
    """Yield energy difference, work of forces and of stresses, eV, of neighbouring frames."""
    alike: dict[tuple[str, str, str], list[Frame]] = defaultdict(list)
    for frame in frames:
        if frame.energy is not None:
            order = frame.atoms.numbers.tobytes().hex()
            alike[frame.crystal, order, frame.origin.functional].append(frame)
    for family in alike.values():
        for one, two in pairwise(family):
            if (work := _work(one, two)) is not None:
                yield work


def _work(one: Frame, two: Frame) -> tuple[float, float, float] | None:
    """Return energy difference and work of forces and stresses; None for other supercells."""
    first, last = one.atoms.cell.array, two.atoms.cell.array
    mean = (first + last) / 2
    moved = two.atoms.get_scaled_positions(wrap=False) - one.atoms.get_scaled_positions(wrap=False)
    moved -= np.rint(moved)
    # The mean of two different supercells may be flat; each of them is not.
    if np.abs(np.linalg.solve(first, last - first)).max() > NEAR[0]:
        return None
    if np.abs(moved @ mean).max() > NEAR[1]:
        return None
    by_forces = -float(np.sum((one.forces + two.forces) / 2 * (moved @ mean)))
    by_stress = 0.0
    if one.stress is not None and two.stress is not None:
        strain = np.linalg.solve(mean, last - first)
        pulls = [frame.stress * frame.atoms.get_volume() for frame in (one, two)]
        by_stress = float(np.sum((pulls[0] + pulls[1]) / 2 * (strain + strain.T) / 2))
    return float(two.energy or 0) - float(one.energy or 0), by_forces, by_stress


def _note_duplicates(frames: Sequence[Frame]) -> list[str]:
    counts = Counter(frame.fingerprint() for frame in frames)
    extra = sum(counts.values()) - len(counts)
    return [f"{extra} frames are there more than once"] if extra else []


def _note_outliers(frames: Sequence[Frame]) -> list[str]:
    largest = np.array([np.linalg.norm(frame.forces, axis=1).max() for frame in frames])
    squares = sum(float(np.square(frame.forces).sum()) for frame in frames)
    limit = OUTLIER * np.sqrt(squares / sum(len(frame.atoms) for frame in frames))
    wild = np.flatnonzero(largest > limit)
    if not wild.size:
        return []
    worst = frames[int(largest.argmax())]
    return [
        f"forces of {wild.size} frames are above {limit:.3g} eV/A, {OUTLIER:g} times the mean; the"
        f" largest, {largest.max():.3g}, of {worst.formula} in {worst.origin.source}"
    ]


def _note_stiff(frames: Sequence[Frame]) -> list[str]:
    """Compare typical frequencies; a wild one is worth a look before it rules the loss."""
    curved = [frame for frame in frames if len(frame.directions)]
    typical = np.array([_typical_frequency(frame) for frame in curved])
    limit = STIFF * np.median(typical) if curved else 0.0
    wild = np.flatnonzero(typical > limit)
    if not wild.size:
        return []
    worst = curved[int(typical.argmax())]
    return [
        f"second derivatives of {wild.size} frames say frequencies above {limit:.3g} THz, {STIFF:g}"
        f" times the median; the largest, {typical.max():.3g}, of {worst.formula} in"
        f" {worst.origin.source}"
    ]


def _typical_frequency(frame: Frame) -> float:
    """Frequency, THz, of the mean stiffness over mass that a frame's second derivatives say."""
    strength = np.linalg.norm(frame.responses, axis=2) / 3**0.5
    return float(THZ_OF_STIFFNESS * np.sqrt((strength / frame.atoms.get_masses()).mean()))
