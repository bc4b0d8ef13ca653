"""Keeps what the libraries underneath say about themselves away from the user's terminal."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def libraries_hushed() -> Iterator[None]:
    """Let through the warnings and log lines of mlphonon, and only those.

    Deprecations inside torch or hints of e3nn and mace name nothing that a user of the
    command line could mend. Whoever wants them sets ``PYTHONWARNINGS=default``.
    """
    root, ours = logging.getLogger(), logging.getLogger("mlphonon")
    before = root.level, ours.level
    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("ignore")
            warnings.filterwarnings("default", module=r"mlphonon(\.|$)")
        root.setLevel(logging.ERROR)
        ours.setLevel(logging.WARNING)
        try:
            yield
        finally:
            root.setLevel(before[0])
            ours.setLevel(before[1])


@contextmanager
def prints_dropped() -> Iterator[None]:
    """Drop what is printed: mace prints when it is imported, into the midst of our JSON."""
    with redirect_stdout(io.StringIO()):
        yield
