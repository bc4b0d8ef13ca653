"""What the tables of the benchmarks share."""

from __future__ import annotations

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table; all columns but the first are aligned to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_page(text: str, script: str, output: Path | None) -> None:
    """Put what a script measured below its mark in a page, what stands above it stays; or print it.

    Parameters
    ----------
    text : str
        What was measured.
    script : str
        Its name.
    output : Path, optional
        The page; standard output if none.
    """
    if output is None:
        print(text)
        return
    mark = f"<!-- below: written by benchmarks/{script} -->"
    above = output.read_text().partition(mark)[0] if output.exists() else ""
    output.write_text(f"{above}{mark}\n\n{text}\n")


def conditions(*packages: str) -> str:
    """Name day, machine, Python, versions of packages, and threads."""
    versions = [f"{name} {version(name)}" for name in packages]
    threads = f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}"
    named = ", ".join([f"python {platform.python_version()}", *versions])
    return f"{datetime.date.today()}; {machine()}; {named}; {threads}."


def machine() -> str:
    """Name the processor and what is free of it."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0].partition(":")[2].strip() if names else model
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"{model}, {os.cpu_count()} cores, load {load:.1f} before the start"
