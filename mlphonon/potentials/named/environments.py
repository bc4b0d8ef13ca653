"""Python environments, one for each family of potentials, made on this machine when asked for.

An environment is complete when its record lies in it; the record is written last and names
what the environment was made from. One without a record is half-made, one whose record names
something else is stale: both are made anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from mlphonon.errors import PotentialError
from mlphonon.io.atomic_files import write_whole
from mlphonon.potentials.named.cache import OFFLINE_VARIABLE, cache_folder, is_offline, locked
from mlphonon.potentials.named.family import Family

RECORD = "mlphonon-environment.json"

UV_VARIABLE = "MLPHONON_UV"
"""Environment variable: "0" to make environments with venv and pip even where uv is there."""

TORCH_INDEX = "https://download.pytorch.org/whl/"
"""Where builds of torch that PyPI has not, such as those for the CPU, come from."""

LAST_LINES = 400
"""How many characters of an installer's complaint an error quotes."""

EnvironmentState = Literal["made", "stale", "absent"]

Say = Callable[[str], None]
"""Told what is being done."""


def environment_folder(family: Family) -> Path:
    """Return where the environment of a family is, or would be."""
    return cache_folder() / "environments" / family.name


def python_of(family: Family) -> Path:
    """Return the interpreter of a family's environment, which need not be there."""
    folder = environment_folder(family)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def state_of(family: Family) -> EnvironmentState:
    """Say whether the environment of a family is there and made as the catalogue says."""
    record = read_record(family)
    if record is None or not python_of(family).exists():
        return "absent"
    return "made" if record.get("made_from") == _made_from(family) else "stale"


def read_record(family: Family) -> dict[str, Any] | None:
    """Return what is recorded of an environment: what it was made from, what is in it."""
    try:
        record = json.loads((environment_folder(family) / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # without a readable record it is half-made, whatever else is there
    return record if isinstance(record, dict) else None


def require(family: Family, asked_for: str, say: Say) -> Path:
    """Return the interpreter of an environment that is there; a stale one is made anew.

    Raises
    ------
    PotentialError
        If it was never made, or cannot be made anew.
    """
    state = state_of(family)
    if state == "absent":
        raise PotentialError(
            f"potential '{asked_for}' runs in a Python environment of its own, not made yet",
            f"its package would not go together with those here ({', '.join(packages(family))})",
            f"run 'mlphonon potentials install {asked_for}'",
        )
    if state == "stale":
        say(f"the environment of {family.name} was made for another version of mlphonon")
        make(family, say)
    return python_of(family)


def packages(family: Family) -> tuple[str, ...]:
    """Return the packages that an environment is made for, with their versions."""
    named = (*family.requirements, *family.unresolved)
    return tuple(text for text in named if "==" in text) or family.requirements


def _pinned(requirements: Sequence[str]) -> str:
    return ", ".join(text for text in requirements if "==" in text) or ", ".join(requirements)


def make(family: Family, say: Say, *, anew: bool = False) -> Path:
    """Make the environment of a family, unless it is there; return its interpreter.

    Parameters
    ----------
    family : Family
        Whose environment.
    say : callable
        Told each step.
    anew : bool
        Make it again even if it is there.

    Raises
    ------
    PotentialError
        If it cannot be made; nothing that looks whole is left then.
    """
    folder = environment_folder(family)
    with locked(folder):
        if state_of(family) == "made" and not anew:
            return python_of(family)
        _check_can_be_made(family)
        shutil.rmtree(folder, ignore_errors=True)
        log = folder.with_name(f"{family.name}.log")
        log.write_bytes(b"")
        installer = _installer(family)
        say(f"making an environment for {family.name} in {folder}")
        _run(installer.create, family, log)
        for what, arguments in _steps(family):
            say(f"installing {what}")
            _run_first([[*installer.install, *choice] for choice in arguments], family, log)
        record = {
            "made_from": _made_from(family),
            "python": sys.version.split()[0],
            "packages": _frozen(installer, family, log),
        }
        write_whole(folder / RECORD, json.dumps(record, indent=1))
    return python_of(family)


@dataclass(frozen=True)
class _Installer:
    """The commands that create an environment, install into it, and list what is in it."""

    create: list[str]
    install: list[str]
    freeze: list[str]


def _installer(family: Family) -> _Installer:
    folder, python = environment_folder(family), str(python_of(family))
    uv = shutil.which("uv") if os.environ.get(UV_VARIABLE, "1") != "0" else None
    if uv is not None:
        return _Installer(
            [uv, "venv", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--python", python],
            [uv, "pip", "freeze", "--python", python],
        )
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    return _Installer(
        [sys.executable, "-m", "venv", str(folder)],
        [*pip, "install", "--no-input"],
        [*pip, "freeze"],
    )


def _steps(family: Family) -> list[tuple[str, list[list[str]]]]:
    """Return what to install in order; each with ways to try one after the other."""
    steps: list[tuple[str, list[list[str]]]] = []
    if family.torch:
        # First and by itself: another package would ask for the newest, for CUDA.
        here = version("torch")
        ways = [[f"torch=={here}"]]
        if "+" in here:
            ways.append([f"torch=={here}", "--index-url", TORCH_INDEX + here.partition("+")[2]])
        steps.append((f"torch {here}", ways))
    lock = [] if family.lock is None else ["-c", str(family.lock)]
    steps.append((_pinned(family.requirements), [[*family.requirements, *lock]]))
    if family.unresolved:
        steps.append((", ".join(family.unresolved), [["--no-deps", *family.unresolved]]))
    if family.gpu_requirements and shutil.which("nvidia-smi"):
        steps.append((", ".join(family.gpu_requirements), [[*family.gpu_requirements]]))
    return steps


def _made_from(family: Family) -> str:
    """Return a digest of all that decides what is in an environment."""
    lock = "" if family.lock is None else family.lock.read_text(encoding="utf-8")
    recipe = [family.requirements, family.unresolved, family.gpu_requirements, family.torch, lock]
    return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()


def _check_can_be_made(family: Family) -> None:
    from packaging.specifiers import SpecifierSet

    running = sys.version.split()[0]
    if not SpecifierSet(family.python).contains(running.rstrip("+"), prereleases=True):
        raise PotentialError(
            f"the packages of {family.name} do not run on Python {running}",
            f"they need {family.python}",
            "run mlphonon under such a Python, or make an environment by hand and use"
            " --potential python:ENVIRONMENT:MODULE:FACTORY",
        )
    if is_offline():
        raise PotentialError(
            f"the environment of {family.name} is not here and {OFFLINE_VARIABLE} forbids to"
            " download its packages",
            fix="unset it, or copy the environment from a machine like this one",
        )


def _run_first(commands: list[list[str]], family: Family, log: Path) -> None:
    """Run commands until one succeeds."""
    for command in commands[:-1]:
        if _call(command, log).returncode == 0:
            return
    _run(commands[-1], family, log)


def _run(command: Sequence[str], family: Family, log: Path) -> None:
    done = _call(command, log)
    if done.returncode != 0:
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
        raise PotentialError(
            f"cannot make the environment of {family.name}",
            " ".join(errors)[:LAST_LINES],
            f"all that was printed is in {log}",
        )


def _call(command: Sequence[str], log: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with its output kept and appended to the log."""
    # The caller's PYTHONPATH and virtual environment are none of the new one's.
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=own,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise PotentialError(f"cannot run {command[0]}", error.strerror or str(error)) from error
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(command)}\n{done.stdout}\n")
    return done


def _frozen(installer: _Installer, family: Family, log: Path) -> list[str]:
    """Return the packages in an environment with their versions."""
    done = _call(installer.freeze, log)
    if done.returncode != 0:
        raise PotentialError(f"cannot read the environment of {family.name}", done.stdout[-200:])
    return [line for line in done.stdout.splitlines() if "==" in line]


def site_packages(family: Family) -> Path:
    """Return the folder that the packages of an environment are, or would be, in."""
    folder = environment_folder(family)
    found = sorted(folder.glob("lib/python3*/site-packages"))
    return found[0] if found else folder / "Lib" / "site-packages"
