"""Which tests may be skipped: with ``--only-known-skips`` any other skip fails the run."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

KNOWN = Path(__file__).parents[1] / "skips.toml"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option to pytest's own."""
    parser.addoption(
        "--only-known-skips",
        action="store_true",
        help="fail if a test is skipped for a reason that tests/skips.toml does not list",
    )


def unknown_skips(reasons: Iterable[str]) -> list[str]:
    """Return those reasons that no pattern of the list matches as a whole."""
    patterns = [known["reason"] for known in tomllib.loads(KNOWN.read_text())["skip"]]
    return [
        reason
        for reason in reasons
        if not any(re.fullmatch(pattern, reason) for pattern in patterns)
    ]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run, where the option asks for it, if something else was skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not session.config.getoption("only_known_skips"):
        return
    skipped = {
        report.longrepr[2].removeprefix("Skipped: "): report.nodeid
        for report in reporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    }
    unknown = unknown_skips(skipped)
    for reason in unknown:
        reporter.write_line(f"not in {KNOWN.name}: {skipped[reason]} skipped: {reason}", red=True)
    if unknown and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
