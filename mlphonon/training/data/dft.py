"""A DFT code as a teacher: run through ASE by a settings file, its convergence checked."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlphonon.errors import TrainingError
from mlphonon.io.scratch import ScratchFolder
from mlphonon.potentials.calculator import AsePotential
from mlphonon.training.data.settings import DftSettings

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

    from mlphonon.potentials.potential import Evaluation, ProgressCallback

PREFIX = "ase:"

UNCONVERGED = {
    "espresso": r"convergence NOT achieved",
    "abinit": r"was not enough SCF cycles to converge|ScfConvergenceWarning",
    "cp2k": r"SCF run NOT converged",
    "aims": r"SELF-CONSISTENCY CYCLE DID NOT CONVERGE|Self-consistency cycle not yet converged",
    "vasp": r"electronic self-consistency was not achieved",
    "siesta": r"SCF_NOT_CONV",
}
"""What a code writes when its cycle did not converge; others (GPAW) raise an error."""

LARGEST_OUTPUT = 50_000_000
"""Bytes; longer files hold densities, not messages."""


class DftCode(AsePotential):
    """A DFT code behind the protocol of potentials; unconverged cycles are refused.

    Parameters
    ----------
    code : str
        ASE's name of the calculator.
    settings : DftSettings
        How it is run.
    folder : Path
        Where; what the last structure left stays there, and goes before the next. It must be a
        scratch folder of this package, or not be there.

    Raises
    ------
    ResultError
        If something else is in the folder.
    """

    def __init__(self, code: str, settings: DftSettings, folder: Path) -> None:
        self._code, self._settings, self._scratch = code, settings, ScratchFolder(folder)
        super().__init__(_make_calculator(code, settings, folder), name=code)
        self._info = replace(
            self._info,
            functional=settings.functional,
            sha256=hashlib.sha256(settings.model_dump_json().encode()).hexdigest(),
        )

    def evaluate(
        self, structures: Sequence[Atoms], progress: ProgressCallback | None = None
    ) -> list[Evaluation]:
        """Run the code on structures one after the other (see `Potential.evaluate`).

        Raises
        ------
        TrainingError
            If a pseudopotential is missing, or a cycle did not converge.
        """
        for atoms in structures:
            _check_pseudopotentials(self._code, self._settings, atoms)
        return super().evaluate(structures, progress)

    def _evaluate_one(self, atoms: Atoms) -> Evaluation:
        self._scratch.empty()
        try:
            return super()._evaluate_one(atoms)
        finally:
            # Looked for first: what a code raises for want of convergence rarely says so.
            self._check_converged(atoms)

    def _check_converged(self, atoms: Atoms) -> None:
        pattern = UNCONVERGED.get(self._code)
        if pattern is None:
            return
        for path in sorted(self._scratch.path.iterdir()):
            if not path.is_file() or path.stat().st_size > LARGEST_OUTPUT:
                continue
            if re.search(pattern, path.read_text(errors="replace")):
                raise TrainingError(
                    f"{self._code} did not converge on {atoms.get_chemical_formula()}",
                    f"see {path}",
                    "allow more cycles or mix less in the settings' parameters",
                )


def load_code(spec: str, folder: Path) -> DftCode:
    """Return the code of ``ase:NAME:SETTINGS.yaml``, which runs in `folder`.

    Raises
    ------
    TrainingError
        If the name, the file or the program is not there, or the file is wrong.
    """
    parts = spec.removeprefix(PREFIX).split(":", 1)
    if len(parts) != 2 or not all(parts):
        raise TrainingError(
            f"'{spec}' is not understood", fix="write ase:NAME:FILE, as ase:espresso:settings.yaml"
        )
    code, path = parts[0], Path(parts[1]).expanduser()
    settings = DftSettings.read(path)
    if settings.command is not None:
        _check_program(settings.command, path)
    return DftCode(code, settings, folder)


def _check_program(command: str, path: Path) -> None:
    program = shlex.split(command)[0] if command.strip() else command
    if shutil.which(program) is None:
        raise TrainingError(
            f"there is no program '{program}'",
            f"{path} names it",
            "install it, or give its path in 'command'",
        )


def _make_calculator(code: str, settings: DftSettings, folder: Path) -> Calculator:
    from ase.calculators.calculator import get_calculator_class

    try:
        make = get_calculator_class(code)
    except (ImportError, AttributeError) as error:
        raise TrainingError(
            f"ASE has no calculator '{code}' here", str(error), "see ase.calculators.names"
        ) from error
    options = dict(settings.parameters)
    profile = _make_profile(make, settings)
    if profile is not None:
        options["profile"] = profile
    elif settings.command is not None:
        options["command"] = settings.command
    try:
        return make(directory=str(folder), **options)
    # ASE's calculators refuse parameters with many kinds of exceptions.
    except Exception as error:
        raise TrainingError(
            f"ASE's calculator '{code}' cannot be made of these settings",
            (str(error).splitlines() or [type(error).__name__])[0],
            "correct its command, profile or parameters",
        ) from error


def _make_profile(make: Any, settings: DftSettings) -> Any:
    """Return ASE's profile of the code (the newer calculators have one), if a command is given."""
    import importlib

    module = importlib.import_module(make.__module__)
    kind = getattr(module, f"{make.__name__}Profile", None)
    if kind is None or settings.command is None:
        return None
    try:
        return kind(command=settings.command, **settings.profile)
    except TypeError as error:
        raise TrainingError(
            f"the profile of {make.__name__} cannot be made of these settings",
            str(error),
            "correct 'profile' (for Quantum ESPRESSO: pseudo_dir; for Abinit: pp_paths)",
        ) from error


def _check_pseudopotentials(code: str, settings: DftSettings, atoms: Atoms) -> None:
    """Look for the files that Quantum ESPRESSO would only miss after it was started."""
    if code != "espresso":
        return
    named = settings.parameters.get("pseudopotentials", {})
    folder = Path(settings.profile.get("pseudo_dir", ".")).expanduser()
    for symbol in sorted(set(atoms.symbols)):
        if symbol not in named:
            raise TrainingError(
                f"there is no pseudopotential of {symbol}",
                "the settings name none under parameters: pseudopotentials",
                f"add '{symbol}: FILE'",
            )
        if not (folder / named[symbol]).is_file():
            raise TrainingError(
                f"there is no pseudopotential of {symbol}: {folder / named[symbol]} is missing",
                fix="correct pseudo_dir or the file's name",
            )
