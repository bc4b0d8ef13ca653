"""A thermal conductivity in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlphonon.anharmonic.verdict import describe_verdict

if TYPE_CHECKING:
    from mlphonon.anharmonic.conductivity.result import Accumulation, ThermalConductivity

NAMES = {
    "rta": "relaxation-time approximation",
    "lbte": "Boltzmann equation",
    "wigner": "Wigner equation, populations in relaxation time",
    "wigner-lbte": "Wigner equation, populations by the Boltzmann equation",
}


def describe(result: ThermalConductivity) -> list[str]:
    """Return what is printed of a result."""
    record = result.record
    lines = [_head(result)]
    coherences = np.trace(result.coherences, axis1=1, axis2=2) / 3
    for t, kappa, average, between in zip(
        result.temperatures, result.kappa, result.average, coherences, strict=True
    ):
        remarks = f"  {t:g} K: {average:.3g} W/m/K"
        if between > 0:
            remarks += f", of which {between:.2g} between bands"
        diagonal = np.diag(kappa)
        if np.ptp(diagonal) > 0.01 * average:
            remarks += f"; along x, y, z {', '.join(f'{k:.3g}' for k in diagonal)}"
        lines.append(remarks)
    lines.append(
        f"  half of it by modes below {_half(result.by_frequency):.2g} THz, by mean free paths"
        f" below {_half(result.by_mean_free_path) / 10:.2g} nm (at {result.temperatures[0]:g} K)"
    )
    third = record.third_order
    if third is not None:
        cutoff = "" if third.cutoff_A is None else f", cutoff {third.cutoff_A:.2f} A"
        lines.append(
            f"  third order: {third.route}, {third.n_evaluations} evaluations of"
            f" {third.n_atoms_supercell} atoms{cutoff}; unseen forces to"
            f" {100 * third.held_out:.1g} % ({third.reason})"
        )
    lines += [f"  grown: {what} {value:.4g} W/m/K" for what, value in record.series]
    lines += [f"  ! {text}" for text in record.warnings]
    if record.verdict is not None:
        lines.append(describe_verdict(record.verdict))
    return lines


def _head(result: ThermalConductivity) -> str:
    record = result.record
    name = "" if record.harmonic is None else f"{record.harmonic.name}: "
    mesh = "x".join(str(n) for n in record.mesh) if len(record.mesh) == 3 else "generalised"
    also = [
        *(["isotopes"] if record.settings.isotope else []),
        *([f"boundary {record.settings.boundary:g} m"] if record.settings.boundary else []),
    ]
    potential = (
        "" if record.harmonic is None else f", potential {record.harmonic.potential['name']}"
    )
    return (
        f"{name}thermal conductivity, {NAMES[record.settings.transport]}, {mesh} mesh"
        f"{''.join(f', {what}' for what in also)}{potential}"
    )


def _half(found: Accumulation) -> float:
    """Where half of the conductivity has been gathered."""
    share = found.cumulative[0] / found.cumulative[0, -1]
    return float(np.interp(0.5, share, found.points[0]))
