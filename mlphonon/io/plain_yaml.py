"""YAML from strangers -> numbers, texts, lists and mappings; never objects, never more than it is.

YAML can name Python functions to be called, and can repeat itself without end. Here it can do
neither: tags, anchors and aliases are refused, and depth and sizes have limits.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import yaml

from mlphonon.errors import SettingsError

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # where PyYAML was built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

MAX_DEPTH = 32
"""Levels of lists and mappings in one another; phonopy needs seven."""

MAX_NUMBER_LENGTH = 400
"""Characters; the largest double in phonopy's fixed-point format has 325. Python takes a time that
grows as the square to read an integer, and refuses to print one of over 4,300 digits."""

MAX_SETTINGS_BYTES = 2**20
MAX_DATA_BYTES = 2**28
"""A full matrix of force constants of 1,000 atoms, written by phonopy."""

MAX_EXPANSION = 200
"""Bytes made of one compressed byte; numbers as text give 3 to 50, bombs 1,000 to a million."""

PACKED = (".xz", ".lzma", ".gz", ".bz2")
"""Ends of the names of compressed files."""

_TAG = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """A YAML file that is not read, with the reason in one line."""


def read_settings_file(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings: a mapping of names to plain values; empty if it is.

    Raises
    ------
    SettingsError
        If it cannot be read or is no mapping; one line.
    """
    try:
        values = read_yaml(path, MAX_SETTINGS_BYTES)
    except OSError as error:
        raise SettingsError(
            f"cannot read settings from {path}", error.strerror or str(error)
        ) from error
    except YamlError as error:
        raise SettingsError(f"cannot read settings from {path}", str(error)) from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise SettingsError(f"{path} holds no settings", fix="write lines such as 'min_length: 20'")
    return values


def read_yaml(path: Path, max_bytes: int = MAX_DATA_BYTES) -> Any:
    """Read a YAML file, as it is or compressed (.xz, .lzma, .gz, .bz2).

    Parameters
    ----------
    path : Path
        A regular file; a pipe would be waited for without end.
    max_bytes : int
        Largest size, unpacked.

    Returns
    -------
    None, bool, int, float, str, list or dict
        Of nothing but these.

    Raises
    ------
    OSError
        If there is no such file or it may not be read.
    YamlError
        If it is no regular file, too large, not UTF-8, not YAML, or not plain.
    """
    if path.exists() and not path.is_file():
        raise YamlError("it is not a file")
    packed = path.suffix in PACKED
    size = path.stat().st_size
    largest = min(max_bytes, max(MAX_SETTINGS_BYTES, MAX_EXPANSION * size)) if packed else max_bytes
    try:
        with _open(path) as file:
            content = file.read(largest + 1)
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise YamlError(f"it cannot be unpacked: {error}") from error
    if len(content) > largest:
        raise YamlError(f"it is larger than {largest} bytes")
    return parse_yaml(content)


def parse_yaml(content: bytes) -> Any:
    """Parse one YAML document of plain values (see `read_yaml`).

    Raises
    ------
    YamlError
        If it is not UTF-8, not YAML, or not plain.
    """
    try:
        loader = SafeLoader(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise YamlError("it is not text in UTF-8") from error
    except yaml.YAMLError as error:
        raise YamlError(_describe(error)) from error
    try:
        return _Document(loader).read()
    except (yaml.YAMLError, UnicodeError) as error:
        raise YamlError(_describe(error)) from error
    finally:
        loader.dispose()


class _Document:
    """The events of a parser, put together; nothing is built but plain values."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._depth = 0

    def read(self) -> Any:
        self._next()  # the start of the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        value = self._value(self._next())
        self._next()  # the end of the document
        if not isinstance(event := self._next(), yaml.StreamEndEvent):
            raise _error("there is more than one document", event)
        return value

    def _next(self) -> Any:
        return self._loader.get_event()

    def _value(self, event: Any) -> Any:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _error("anchors and aliases are not read", event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        kind = "seq" if isinstance(event, yaml.SequenceStartEvent) else "map"
        if event.tag not in (None, "!", _TAG + kind):
            raise _error(f"the tag {event.tag} is not read", event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _error(f"it is nested deeper than {MAX_DEPTH} levels", event)
        value = list(self._items()) if kind == "seq" else self._mapping()
        self._depth -= 1
        return value

    def _items(self) -> Iterator[Any]:
        while not isinstance(event := self._next(), yaml.CollectionEndEvent):
            yield self._value(event)

    def _mapping(self) -> dict[str | int, Any]:
        values: dict[str | int, Any] = {}
        while not isinstance(event := self._next(), yaml.CollectionEndEvent):
            name = self._value(event)
            if isinstance(name, bool) or not isinstance(name, str | int):
                raise _error("a name is neither text nor a whole number", event)
            if name in values:
                raise _error(f"{str(name)[:40]!r} is there twice", event)
            values[name] = self._value(self._next())
        return values

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        kind = tag.removeprefix(_TAG)
        if kind in ("str", "timestamp", "value"):
            return event.value
        if kind not in ("null", "bool", "int", "float"):
            raise _error(f"the tag {tag} is not read", event)
        if len(event.value) > MAX_NUMBER_LENGTH:
            raise _error(f"a number has over {MAX_NUMBER_LENGTH} digits", event)
        node = yaml.ScalarNode(tag, event.value, event.start_mark)
        try:
            return getattr(self._loader, f"construct_yaml_{kind}")(node)
        except (ValueError, KeyError) as error:  # such as !!int of a word
            raise _error(f"{event.value[:40]!r} is no {kind}", event) from error


def _error(reason: str, event: Any) -> YamlError:
    return YamlError(f"{reason} (line {event.start_mark.line + 1})")


def _describe(error: Exception) -> str:
    """Return what PyYAML says of a syntax error, in one line, without the text around it."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    line = f" (line {mark.line + 1})" if mark else ""
    return " ".join(str(problem).split())[:200] + line


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    if path.suffix in (".xz", ".lzma"):
        return lzma.open(path)
    if path.suffix == ".gz":
        return gzip.open(path)
    return bz2.open(path) if path.suffix == ".bz2" else path.open("rb")
