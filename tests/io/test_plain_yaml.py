"""YAML gives plain values or a reason in one line; it calls nothing and does not grow."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlphonon.errors import SettingsError
from mlphonon.io.plain_yaml import (
    MAX_DEPTH,
    MAX_EXPANSION,
    MAX_SETTINGS_BYTES,
    YamlError,
    parse_yaml,
    read_settings_file,
    read_yaml,
)

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
"""Nine names, nine to the ninth values."""


def test_plain_values_are_what_pyyaml_makes_of_them() -> None:
    text = """
    whole: [1, -2, 0x1f, 0o17, 017, 1_000, 1:30]
    real: [1.5, -1.0e-5, .inf, -.inf, 1e-3, 1e5]
    other: [true, no, ~, null, "quoted: 'yes'", plain text]
    block: |
      two
      lines
    nested: {a: {b: [[1, 2], []]}, 3: x}
    explicit: [!!str 12, !!float 12, !!int "12"]
    """
    assert parse_yaml(text.encode()) == yaml.safe_load(text)
    assert str(parse_yaml(b".nan")) == "nan"


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "~", "null"])
def test_nothing_is_none(text: str) -> None:
    assert parse_yaml(text.encode()) is None


def test_dates_are_texts() -> None:
    assert parse_yaml(b"2026-11-30") == "2026-11-30"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!!python/object/apply:os.system ['true']", "tag .*os.system is not read"),
        ("x: !!python/name:os.system", "is not read"),
        ("x: !!python/tuple [1]", "is not read"),
        ("x: !!binary aGk=", "is not read"),
        ("x: !!set {a, b}", "is not read"),
        ("x: !mine 3", "is not read"),
        ("<<: {a: 1}", "is not read"),
        (BOMB, "anchors and aliases are not read"),
        ("a: &a [*a]", "anchors and aliases"),
        ("[" * (MAX_DEPTH + 1), "nested deeper"),
        ("[" * 50_000, "nested deeper"),
        ("".join(" " * i + "a:\n" for i in range(MAX_DEPTH + 2)), "nested deeper"),
        (f"x: {'9' * 5000}", "over 400 digits"),
        (f"x: 0x{'f' * 5000}", "over 400 digits"),
        (f"x: {':1' * 5000}"[:3] + "1" + ":1" * 5000, "over 400 digits"),
        ("a: 1\nb: 2\na: 3", "'a' is there twice .line 3."),
        ("[1, 2]: 3", "neither text nor a whole number"),
        ("? {a: 1}\n: 3", "neither text nor"),
        ("yes: 3", "neither text nor"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("a: [1", "did not find expected"),
        ("a: 'b", "end of stream"),
        ("a: \0", "."),
        ("a: \x1b[2J", "."),
        ("x: !!int word", "'word' is no int"),
        ("x: !!bool 12", "'12' is no bool"),
        ("x: *nowhere", "aliases are not read"),
    ],
)
def test_anything_else_is_refused_in_one_line(text: str, reason: str) -> None:
    with pytest.raises(YamlError, match=reason) as caught:
        parse_yaml(text.encode())
    assert len(str(caught.value)) < 250
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("content", [b"\xff\xfe\xfa", b"a: \xc3", "a: é".encode("latin-1")])
def test_not_utf8(content: bytes) -> None:
    with pytest.raises(YamlError, match="UTF-8"):
        parse_yaml(content)


@pytest.mark.parametrize(
    ("end", "compress"),
    [
        ("", bytes),
        (".xz", lzma.compress),
        (".lzma", lzma.compress),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
    ],
)
def test_compressed_files(end: str, compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / f"a.yaml{end}"
    path.write_bytes(compress(b"a: [1, 2.5]\n"))
    assert read_yaml(path) == {"a": [1, 2.5]}
    if end:
        path.write_bytes(compress(b"# " + b" " * 2_000_000 + b"\n"))
        assert path.stat().st_size * MAX_EXPANSION < 2_000_000
        with pytest.raises(YamlError, match="larger than"):
            read_yaml(path)
        path.write_bytes(compress(b"a: [1, 2.5]\n")[:-5])
        with pytest.raises((YamlError, OSError)):
            read_yaml(path)
        path.write_bytes(b"a: [1, 2.5]\n")
        with pytest.raises((YamlError, OSError)):
            read_yaml(path)


def settings(tmp_path: Path, content: bytes) -> dict[str, Any]:
    path = tmp_path / "settings.yaml"
    path.write_bytes(content)
    return read_settings_file(path)


def test_settings(tmp_path: Path) -> None:
    assert settings(tmp_path, b"min_length: 20\n") == {"min_length": 20}
    assert settings(tmp_path, b"") == {}


@pytest.mark.parametrize(
    "content", [b"[1]", b"text", b"1: 2", b"\xff", BOMB.encode(), b"a: [", b"a: 1\na: 2"]
)
def test_settings_that_cannot_be(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"settings.yaml") as caught:
        settings(tmp_path, content)
    assert len(str(caught.value)) < 400


def test_settings_have_a_size(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="larger than"):
        settings(tmp_path, b"#" * (MAX_SETTINGS_BYTES + 1))


def test_pipes_and_folders_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(SettingsError, match="it is not a file"):
            read_settings_file(tmp_path / name)
    with pytest.raises(SettingsError, match="No such file"):
        read_settings_file(tmp_path / "nowhere")
