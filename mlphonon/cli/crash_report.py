"""A file with all that the mending of a fault needs, for the developers."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
import traceback
from pathlib import Path

PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@]+@")
"""Of addresses, such as that of a database."""


def write_report(error: BaseException) -> Path:
    """Write versions, the command and the traceback into a new file among temporary ones.

    Passwords in addresses are left out.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    from mlphonon import __version__

    text = "\n".join(
        [
            f"mlphonon {__version__}, Python {platform.python_version()}, {platform.platform()}",
            " ".join(sys.argv),
            "",
            *traceback.format_exception(error),
        ]
    )
    # A new file that only this user may read.
    descriptor, path = tempfile.mkstemp(prefix="mlphonon-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(PASSWORD.sub(r"\1***@", text))
    return Path(path)
