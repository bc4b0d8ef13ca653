"""Keeps to themselves what mace, e3nn and torch say when they are imported and build a model."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def libraries_muted() -> Iterator[None]:
    """Drop warnings and prints, unless Python was told to show warnings (``-W``).

    They are about deprecations and optional packages inside those libraries; nothing a user
    of a potential could mend.
    """
    if sys.warnoptions:
        yield
        return
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
