"""A file from the network, or a few words on why it did not come."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 20
TIMEOUT = 60.0
"""Seconds without a byte before a download is given up."""

MAX_BYTES = 8 * 10**9
"""Of a file whose size nobody has written down."""

SLOWEST = 30_000.0
"""Bytes a second, on average; on a slower line a file is better brought by hand."""

HEAD_START = 120.0
"""Seconds before the average is looked at."""


class DownloadError(Exception):
    """A file that did not come; the message says why."""


def download(url: str, path: Path, size: int | None, progress: bool) -> None:
    """Download a file, with a bar if stderr is a terminal and `progress` is true.

    A server that sends more than was expected, or a byte now and then for ever, is given up.

    Parameters
    ----------
    url : str
        Of the file.
    path : Path
        Where it is written; nothing may be there.
    size : int, optional
        The most bytes that it may have; `MAX_BYTES` where it is not known.
    progress : bool
        Show a bar.

    Raises
    ------
    DownloadError
        If it does not come whole, in time and in size.
    OSError
        If it cannot be written.
    """
    import requests
    import urllib3

    limit = MAX_BYTES if size is None else size
    # Packed on the way, its size would not be known before it is unpacked.
    headers = {"Accept-Encoding": "identity"}
    try:
        with (
            requests.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response,
            path.open("xb") as file,
        ):
            response.raise_for_status()
            _transfer(response, file, limit, progress and sys.stderr.isatty())
            file.flush()
            os.fsync(file.fileno())
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise DownloadError(_reason(error)) from error


def _transfer(response: requests.Response, file: Any, limit: int, bar: bool) -> None:
    """Write what comes as it comes, so that time and size are looked at after every packet."""
    from tqdm import tqdm

    begun = time.monotonic()
    announced = int(response.headers.get("Content-Length", 0))
    done = 0
    with tqdm(total=announced or None, unit="B", unit_scale=True, disable=not bar) as shown:
        while announced <= limit and (chunk := response.raw.read1(CHUNK)):
            done += len(chunk)
            if done > limit:
                break
            if time.monotonic() - begun > HEAD_START + done / SLOWEST:
                raise DownloadError(f"it came more slowly than {SLOWEST / 1e3:.0f} kB/s")
            file.write(chunk)
            shown.update(len(chunk))
    if max(done, announced) > limit:
        raise DownloadError(f"the server sends more than the {limit} bytes that it should have")


def _reason(error: Exception) -> str:
    """Say in a few words what requests and urllib3 say in many."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
        return f"the server did not answer within {TIMEOUT:.0f} s"
    if isinstance(error, urllib3.exceptions.ProtocolError):
        return "the transfer broke off before the end of the file"
    if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
        return f"{type(error).__name__}: {str(error)[:200]}"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server; this machine may be offline"
    return f"{type(error).__name__}: {str(error)[:200]}"
