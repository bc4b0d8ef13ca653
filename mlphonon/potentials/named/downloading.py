"""A file from the network, or a few words on why it did not come."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without a byte before a download is given up."""


class DownloadError(Exception):
    """A file that did not come; the message says why."""


def download(url: str, path: Path, progress: bool) -> None:
    """Download a file to `path`, with a bar if stderr is a terminal and `progress` is true.

    Raises
    ------
    DownloadError
        If it does not come whole.
    OSError
        If it cannot be written.
    """
    import pooch
    import requests

    bar = progress and sys.stderr.isatty()
    fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=CHUNK, timeout=TIMEOUT)
    try:
        with path.open("wb") as file:
            fetch(url, file, None)
            file.flush()
            os.fsync(file.fileno())
    except requests.RequestException as error:
        raise DownloadError(_reason(error)) from error


def _reason(error: requests.RequestException) -> str:
    """Say in a few words what requests says in many."""
    import requests

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return f"the server did not answer within {TIMEOUT:.0f} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the transfer broke off before the end of the file"
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return f"{type(error).__name__}: {str(error)[:200]}"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server; this machine may be offline"
    return f"{type(error).__name__}: {str(error)[:200]}"
