"""Files of a set from a local HTTP server: once, whole, and not against the user's will."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from mlphonon.errors import MlphononError, ResultError
from mlphonon.evaluation.references.catalogue import find_reference
from mlphonon.evaluation.references.download import data_folder
from mlphonon.evaluation.references.files import check_files
from mlphonon.evaluation.references.reference import ReferenceFile, ReferenceSet
from tests.helpers.servers import Server

BODY = b"frequencies" * 1000


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(BODY)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of data in the cache of this test, empty."""
    monkeypatch.setenv("MLPHONON_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLPHONON_OFFLINE", raising=False)
    return tmp_path / "cache" / "data"


def make_set(*urls: str | None, path: str = "few/{}.json") -> ReferenceSet:
    files = tuple(ReferenceFile(path.format(n), url) for n, url in enumerate(urls))
    return ReferenceSet("few", "few", "the paper", "MIT", "none", files, lambda _folder: {})


def visible(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    )


def test_a_folder_that_is_given_is_taken(server: Server, tmp_path: Path) -> None:
    assert data_folder(make_set(f"{server.url}/a"), tmp_path / "mine") == tmp_path / "mine"
    assert server.requests == []


def test_files_come_once(server: Server, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = make_set(f"{server.url}/a", f"{server.url}/b")
    assert data_folder(found, None) == folder
    assert visible(folder) == ["few/0.json", "few/1.json"]
    assert (folder / "few" / "0.json").read_bytes() == BODY
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"downloading 0.json of few from {server.url}/a"
    assert check_files(found, folder) == []
    assert data_folder(found, None) == folder
    assert server.requests == ["/a", "/b"]
    (folder / "few" / "1.json").unlink()
    data_folder(found, None, progress=False)
    assert server.requests == ["/a", "/b", "/b"]
    assert capsys.readouterr().err == ""


def test_many_processes_bring_a_file_once(server: Server) -> None:
    found = make_set(f"{server.url}/slow")
    with ThreadPoolExecutor(4) as pool:
        places = list(pool.map(lambda _: data_folder(found, None, progress=False), range(4)))
    assert len(set(places)) == 1
    assert server.requests == ["/slow"]


@pytest.mark.parametrize(("route", "reason"), [("missing", "404"), ("truncated", "broke off")])
def test_what_does_not_come_whole_is_not_there(
    server: Server, folder: Path, route: str, reason: str
) -> None:
    with pytest.raises(ResultError, match=f"cannot download .*{reason}.*--data") as caught:
        data_folder(make_set(f"{server.url}/{route}"), None, progress=False)
    assert "\n" not in str(caught.value)
    assert visible(folder) == []


def test_offline_nothing_is_downloaded(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPHONON_OFFLINE", "1")
    found = make_set(f"{server.url}/a")
    with pytest.raises(ResultError, match=r"MLPHONON_OFFLINE forbids.*--data"):
        data_folder(found, None)
    assert server.requests == []
    (folder / "few").mkdir(parents=True)
    (folder / "few" / "0.json").write_text("here")
    assert data_folder(found, None) == folder


def test_what_has_no_address_says_where_it_is(server: Server, folder: Path) -> None:
    with pytest.raises(ResultError, match=r"from the paper; give .*few/1\.json with --data"):
        data_folder(make_set(f"{server.url}/a", None), None)
    assert server.requests == [], "nothing is brought for nothing"
    with pytest.raises(ResultError, match=r"phonondb-103-nac.*cannot download.*k_SRME.*NAC\.json"):
        data_folder(find_reference("phonondb-103-nac"), None)
    found = find_reference("jarvis-dos")
    with pytest.raises(ResultError, match=r"jarvis-dos is not here.*jarvis\.nist\.gov.*--data"):
        data_folder(found, None)
    (folder / "jarvis-dos").mkdir(parents=True)
    (folder / "jarvis-dos" / "a.json").write_text("[]")
    assert data_folder(found, None) == folder


def test_a_cache_that_cannot_be_written(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MLPHONON_CACHE", str(tmp_path / "file"))
    with pytest.raises(MlphononError, match=r"cannot write into .*MLPHONON_CACHE"):
        data_folder(replace(make_set(f"{server.url}/a")), None)
