"""What a terminal is sent: text that comes from files and from strangers cannot command it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.text import Text

_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tab and line end, what turns the direction of writing, and halves of
characters, which names of files that are not UTF-8 consist of."""


def printable(text: str) -> str:
    r"""Return text with what would command the terminal written out, such as ``\x1b``."""
    return _COMMANDS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def plain(text: str) -> Text:
    """Return text for rich, in which brackets are no markup and nothing commands the terminal."""
    from rich.text import Text

    return Text(printable(text))


@contextmanager
def streams_escaped() -> Iterator[None]:
    """Write out what would command the terminal in all that is printed to stdout and stderr.

    What rich draws goes past it: what is handed to rich must be `plain`.
    """
    before = sys.stdout, sys.stderr
    # Each is None where the shell closed it.
    sys.stdout, sys.stderr = (stream and cast(TextIO, _Escaped(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class _Escaped:
    """A stream that writes `printable` text to another; in all else it is the other."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        # Where rich writes what it draws.
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        return self._stream.write(printable(text))

    def writelines(self, lines: list[str]) -> None:
        self._stream.writelines(map(printable, lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
