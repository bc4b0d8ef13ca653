"""The blocks of code in a page of documentation, and what stands above them about running them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(`{3,}|~{3,})\s*([\w+-]*)\s*$")
MARK = re.compile(r"^<!--\s*(not run|slow):\s*(.*?)\s*-->$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    A comment in the last line above it says that it is ``<!-- not run: REASON -->`` or
    ``<!-- slow: REASON -->``; neither is shown to readers of the page.
    """

    path: Path
    line: int
    language: str
    text: str
    mark: str = ""
    """"not run", "slow" or nothing."""

    reason: str = ""

    def commands(self) -> list[list[str]]:
        """Return the words of each command of a block for a shell, comments left out."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]

    def source(self) -> str:
        """Return the text of a block of Python, its lines numbered as in the page."""
        return "\n" * self.line + self.text


def read_blocks(path: Path) -> list[Block]:
    """Read the fenced blocks of a page, in order."""
    blocks: list[Block] = []
    lines = path.read_text().splitlines()
    start, fence, language, above = 0, "", "", ""
    for i, line in enumerate(lines):
        if fence:
            if line.strip() == fence:
                mark = MARK.match(above)
                text = "\n".join(lines[start + 1 : i]) + "\n"
                blocks.append(
                    Block(path, start + 1, language, text, *(mark.groups() if mark else ()))
                )
                fence = above = ""
        elif opened := FENCE.match(line.strip()):
            (fence, language), start = opened.groups(), i
        elif line.strip():
            above = line.strip()
    assert not fence, f"{path}:{start + 1}: the block has no end"
    return blocks
