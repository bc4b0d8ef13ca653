"""What the site shows of the repository outside ``docs/``: MkDocs calls these by their names.

Pages keep the links that work in a checkout, such as ``../benchmarks/speed.md``. Here pages from
outside get a place in the site, links to them are turned there, and links to code become plain
text.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
AT_ROOT = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "SECURITY.md": "security.md",
}
CARD = "mlphonon/potentials/embedded/MODEL_CARD.md"
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def _outside() -> dict[Path, str]:
    """Files outside ``docs/`` that the site shows, and where."""
    found = {ROOT / name: place for name, place in AT_ROOT.items() if (ROOT / name).is_file()}
    for pattern in ("*.md", "*.png", "*/*.png"):
        for path in (ROOT / "benchmarks").glob(pattern):
            found[path] = path.relative_to(ROOT).as_posix()
    return found | {ROOT / CARD: "model-card.md"}


def on_files(files: Files, *, config: Any) -> Files:
    """Add what stands outside ``docs/``."""
    for path, place in _outside().items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Turn links that lead out of ``docs/`` to where the site has their targets."""
    source = Path(page.file.abs_src_path)
    places = _outside()
    here = Path(page.file.src_uri).parent

    def turned(match: re.Match[str]) -> str:
        image, text, target, anchor = match.groups()
        path = Path(os.path.normpath(source.parent / target))
        if "://" in target or not path.exists():
            return match.group()
        if path in places:
            place = places[path]
        elif path.is_relative_to(ROOT / "docs"):
            place = path.relative_to(ROOT / "docs").as_posix()
        else:
            return text
        return f"{image}[{text}]({os.path.relpath(place, here)}{anchor or ''})"

    return LINK.sub(turned, markdown)
