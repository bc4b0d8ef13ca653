"""Draw all results in a folder on one page: ``python examples/overview.py out``."""

from __future__ import annotations

import sys
from pathlib import Path

from mlphonon import MlphononError, Phonons
from mlphonon.report.figures import plot_overview, save_figure


def draw_overview(folder: Path) -> Path:
    """Load every result in `folder` and write ``overview.png`` beside them."""
    found = [Phonons.load(path.parent) for path in sorted(folder.glob("*/phonons.json"))]
    if not found:
        raise SystemExit(f"no results in {folder}; make some with 'mlphonon phonons'")
    items = [(r.record.name, r.bands(), r.dos(), r.thermal()) for r in found]
    return save_figure(plot_overview(items), folder / "overview.png")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        print(draw_overview(Path(sys.argv[1])))
    except MlphononError as error:
        raise SystemExit(str(error)) from None
