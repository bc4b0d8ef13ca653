"""Phonons in words: what is printed of a result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlphonon.force_constants.supercell_series import describe_series

if TYPE_CHECKING:
    from mlphonon.phonons.phonons import Phonons
    from mlphonon.phonons.record import Record


def describe(result: Phonons) -> list[str]:
    """Return what is printed of one result, in lines."""
    summary, record = result.summary(), result.record
    thermal = summary["thermal_300K"]
    relaxed = (
        f"relaxed in {record.relaxation_steps} steps (volume {100 * record.volume_change:+.2f} %)"
        if record.relaxed
        else "not relaxed"
    )
    if not record.relaxation_converged:
        relaxed += ", NOT CONVERGED"
    grown = describe_series(record.supercell_series)
    committee = [] if result.committee is None else result.committee.describe()
    return [
        f"{record.name}: {record.formula}, {record.spacegroup}, {relaxed},"
        f" {record.n_atoms_supercell}-atom supercell, potential {_name_of(record.potential)}",
        *([f"  supercell grown: {grown}"] if grown else []),
        f"  {result.stability.describe()}",
        f"  highest mode {summary['max_frequency_THz']:.2f} THz; at 300 K per mole of atoms:"
        f" C_V {thermal['C_V_J_per_K_mol_atoms']:.2f} J/K, S {thermal['S_J_per_K_mol_atoms']:.2f}"
        f" J/K, F {thermal['F_kJ_per_mol_atoms']:.2f} kJ",
        f"  force constants: {_describe_method(record)}",
        f"  before symmetrisation: undisplaced force"
        f" {record.raw_force_constants.undisplaced_force:.1e} eV/A, sum-rule drift"
        f" {record.raw_force_constants.drift:.1e} eV/A^2",
        *(f"  {line}" for line in committee),
        *(f"  ! {check.describe()}" for check in result.trust.fired),
        f"  {result.trust.describe()}",
    ]


def _name_of(potential: dict[str, Any]) -> str:
    """Name a potential, with what a reader must know of it."""
    remarks = [] if potential.get("tested", True) else ["untested"]
    if potential.get("conservative") is False:
        remarks.append("not conservative")
    if potential.get("dtype") == "float32":
        remarks.append("float32")
    return str(potential["name"]) + (f" ({', '.join(remarks)})" if remarks else "")


def _describe_method(record: Record) -> str:
    """Say how force constants were made, and how far off that is, where it was measured."""
    number, raw = record.n_displacements, record.raw_force_constants
    several = "" if number == 1 else "s"
    kinds = {
        "autodiff": f"{number} row{several} of second derivatives in {record.method_dtype}",
        "regression": f"regression over {number} random displacement{several}",
        "displacements": f"{number} displacement{several} of {record.displacement_A or 0:g} A"
        f" in {record.method_dtype}",
        "sscha": f"self-consistent, {number} displaced supercells",
        "effective": f"fitted to {number} snapshots of molecular dynamics",
    }
    errors = {
        "one-sided": raw.nonlinearity,
        "against float64": raw.rounding,
        "on unseen forces": raw.held_out,
    }
    text = "".join(f", {what} {x:.0e}" for what, x in errors.items() if x is not None)
    return f"{kinds[record.method]}{text} ({record.method_reason})"
