"""Damaged copies of a file: bits, pieces and numbers in it changed; and a process that reads them.

Run as a program it reads one kind of file again and again, and writes the number of each case
before it is read, so that who started it knows which one it did not survive.
"""

from __future__ import annotations

import json
import re
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

NUMBERS = (
    *("0", "-1", "1", "2", "99", "-8", "999999999999", "1e308", "-1e308", "1e-308", "nan", "inf"),
    *(".nan", "-.inf", "1" * 5000, "0x" + "f" * 300, "1e999", "true", "null", "''", "1.5", "[]"),
)

PIECES = (
    *(b"", b"\0", b"\xff", b"[", b"]", b"{", b"}", b"- ", b"\n", b"&a ", b"*a", b"<<: ", b"? "),
    *(b"!!python/object/apply:os.system ['true']", b"!!binary ", b"%YAML 9.9\n", b"---\n", b"'"),
    *(b"[" * 2000, b" " * 5000, b"\r", b"\x1b[2J", b"#", b"\n\n", b"1 " * 500),
)

TOKEN = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")

SECONDS = 10
MEMORY = 1 << 30


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a copy that differs in one to three places."""
    for _ in range(rng.integers(1, 4)):
        content = _change(content, rng)
    return content


def _change(content: bytes, rng: np.random.Generator) -> bytes:
    kind = rng.integers(6)
    start, end = sorted(int(i) for i in rng.integers(len(content) + 1, size=2))
    if kind == 0 and content:  # a bit
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << rng.integers(8)
        return bytes(flipped)
    if kind == 1:  # cut off, or a piece taken out
        return content[:start] if rng.integers(2) else content[:start] + content[end:]
    if kind == 2:  # a piece twice
        return content[:end] + content[start:]
    if kind == 3:
        return content[:start] + PIECES[rng.integers(len(PIECES))] + content[start:]
    tokens = list(TOKEN.finditer(content))
    if not tokens:
        return content[:start]
    # The first numbers of a file are often sizes.
    token = tokens[rng.integers(min(len(tokens), 30) if kind == 4 else len(tokens))]
    new = NUMBERS[rng.integers(len(NUMBERS))].encode()
    return content[: token.start()] + new + content[token.end() :]


def read_damaged(place: Path, name: str, cases: range) -> None:
    """Damage the file `name` of a folder, read it, and put it back, for each case.

    What is raised but errors of ours is printed, with the case; so is what took too much memory.
    """
    from mlphonon.errors import MlphononError
    from tests.helpers.readers import READERS

    read = READERS[name]
    path = place / name.partition(":")[0]
    content = path.read_bytes()
    read(place)  # as it is it can be read, and all is imported
    largest = _largest_memory()
    for case in cases:
        print(json.dumps({"case": case}), flush=True)
        path.write_bytes(damaged(content, np.random.default_rng([len(name), case])))
        # Of the processor: other work on the machine is no hang.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            read(place)
        except MlphononError as error:
            if "MemoryError" in str(error) or len(str(error)) > 2500:
                _complain(case, error)
        except BaseException as error:
            _complain(case, error)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if _largest_memory() - largest > MEMORY:
            _complain(case, MemoryError("over 1 GB"))
            largest = _largest_memory()


def _largest_memory() -> int:
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _complain(case: int, error: BaseException) -> None:
    import traceback

    where = traceback.extract_tb(error.__traceback__)
    last: Any = f"{where[-1].filename}:{where[-1].lineno}" if where else ""
    what = f"{type(error).__name__}: {str(error)[:200]} {last}"
    print(json.dumps({"case": case, "problem": what}), flush=True)


if __name__ == "__main__":
    # So that a fault takes down this process and not the machine.
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
    read_damaged(Path(sys.argv[1]), sys.argv[2], range(int(sys.argv[3]), int(sys.argv[4])))
