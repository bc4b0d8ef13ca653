"""London dispersion (DFT-D3) added to a potential whose functional lacks it.

Becke-Johnson damping, pairs only, as in VASP's ``IVDW = 12``: Grimme, Ehrlich and Goerigk,
J. Comput. Chem. 32, 1456 (2011). simple-dftd3 does the sum, with analytic forces and stress in
double precision; the density functional's parameters are its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mlphonon.errors import PotentialError
from mlphonon.potentials.calculator import AsePotential
from mlphonon.potentials.potential import (
    Evaluation,
    Potential,
    PotentialInfo,
    ProgressCallback,
)
from mlphonon.potentials.wrapper import MIXINS, PotentialWrapper

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

FUNCTIONALS = {"pbesol": "pbesol", "pbe": "pbe", "r2scan": "r2scan", "scan": "scan"}
"""How the name of a functional begins, and what its D3 parameters are called."""

SUFFIX = "+D3"
"""Of the name of a potential with dispersion."""

SMOOTHING = 5.29
"""Width over which pairs fade out before the cutoff at 32 A, A. Cut sharply, as simple-dftd3
does by default, forces differ from the slope of the energy by 2e-4 eV/A."""

HAS_DISPERSION = re.compile(r"D3|D4|vdW|MBD|-V\b|rVV10", re.IGNORECASE)
"""Marks of functionals that describe dispersion already."""


class DispersionPotential(PotentialWrapper):
    """A potential with D3 dispersion added.

    Parameters
    ----------
    potential : Potential
        What it is added to.
    functional : str
        Whose D3 parameters; as simple-dftd3 calls it (``"pbe"``, ``"r2scan"``).
    """

    # Rows of second derivatives are lost: D3 has none here.
    capabilities = MIXINS

    def __init__(self, potential: Potential, functional: str) -> None:
        super().__init__(potential)
        self._functional = functional
        self._correction = AsePotential(_d3_calculator(functional), name=f"D3({functional})")
        inner = potential.info
        # Pairs are summed up to 32 A: nothing that relies on a short reach holds any more.
        self._info = replace(
            inner,
            name=f"{inner.name}{SUFFIX}",
            cutoff=None,
            receptive_field=None,
            differentiable=False,
            functional=f"{inner.functional or 'unknown'} + D3(BJ, {functional})",
            dispersion=f"d3:{functional}",
        )

    @property
    def info(self) -> PotentialInfo:
        """What the engine must know of this potential."""
        return self._info

    def around(self, potential: Potential) -> DispersionPotential:
        """Return another potential with the same dispersion."""
        return DispersionPotential.make(potential, self._functional)

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Evaluate structures in the potential's batches, and add (see `Potential.evaluate`)."""
        bare = self._potential.evaluate(structures, progress)
        added = self._correction.evaluate(structures)
        return [
            Evaluation(one.energy + two.energy, one.forces + two.forces, one.stress + two.stress)
            for one, two in zip(bare, added, strict=True)
        ]


def with_dispersion(potential: Potential, kind: str) -> Potential:
    """Add dispersion to a potential.

    Parameters
    ----------
    potential : Potential
        What it is added to.
    kind : str
        ``"d3"`` for the parameters of the functional that the potential was trained on, or
        ``"d3:pbe"`` to say which.

    Raises
    ------
    PotentialError
        If `kind` is unknown, the functional is unknown or has dispersion already, or
        simple-dftd3 is not installed.

    Examples
    --------
    >>> from mlphonon import load_potential, with_dispersion
    >>> potential = with_dispersion(load_potential("embedded"), "d3")
    """
    name, _, functional = kind.strip().lower().partition(":")
    if name != "d3":
        raise PotentialError(
            f"dispersion '{kind}' is unknown", fix="use d3, or d3:FUNCTIONAL such as d3:pbe"
        )
    return DispersionPotential.make(potential, functional or parameters_for(potential.info))


def parameters_for(info: PotentialInfo) -> str:
    """Return whose D3 parameters fit the functional that a potential was trained on.

    Raises
    ------
    PotentialError
        If its functional is unknown, or describes dispersion itself.
    """
    functional = info.functional or ""
    if HAS_DISPERSION.search(functional):
        raise PotentialError(
            f"potential '{info.name}' has dispersion already",
            f"it was trained on {functional}",
            "leave --dispersion out",
        )
    for beginning, parameters in FUNCTIONALS.items():
        if functional.lower().startswith(beginning):
            return parameters
    raise PotentialError(
        f"the functional of potential '{info.name}' is {functional or 'not known'}",
        "each functional has D3 parameters of its own",
        "say which, as in --dispersion d3:pbe",
    )


def _d3_calculator(functional: str) -> Calculator:
    try:
        from dftd3.ase import DFTD3
        from dftd3.interface import RationalDampingParam
    except ImportError as error:
        raise PotentialError(
            "dispersion needs simple-dftd3, which is not installed",
            fix="pip install 'mlphonon[dispersion]'",
        ) from error
    try:
        RationalDampingParam(method=functional, atm=False)
    except RuntimeError as error:
        raise PotentialError(
            f"there are no D3 parameters for functional '{functional}'", str(error)
        ) from error
    return DFTD3(
        damping="d3bj",
        params_tweaks={"method": functional, "atm": False},
        realspace_cutoff={"width2": SMOOTHING},
    )
