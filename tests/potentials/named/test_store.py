"""The store, against a local HTTP server: what is not proven whole and right never lies there."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mlphonon.errors import PotentialError, UntrustedFileError
from mlphonon.potentials.named.catalogue import CatalogueEntry, read_catalogue
from mlphonon.potentials.named.store import (
    accept,
    locate,
    path_of,
    pull,
    recorded_digest,
    sha256_of,
    store_folder,
    vouched,
)
from mlphonon.potentials.named.verification import verify
from tests.helpers.servers import Server

BODY = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(BODY).hexdigest()

SHIPPED = ("embedded", "ok")
"""The potential that ships inside is verified first, whatever was pulled."""


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server(BODY)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the store of this test, empty."""
    monkeypatch.setenv("MLPHONON_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MLPHONON_OFFLINE", raising=False)
    monkeypatch.delenv("MLPHONON_CATALOGUE", raising=False)
    return tmp_path / "cache" / "potentials"


def make_entry(server: Server, sha256: str | None = SHA256, route: str = "whole") -> CatalogueEntry:
    return CatalogueEntry(
        name="stand-in",
        url=f"{server.url}/{route}/stand-in.model",
        filename="stand-in.model",
        sha256=sha256,
        licence="MIT",
        reference="none",
        training_set="none",
        functional="none",
    )


def visible(folder: Path) -> list[str]:
    """Return what lies in the store, the lock apart."""
    if not folder.exists():
        return []
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def one_line(error: BaseException) -> str:
    assert "\n" not in str(error)
    return str(error)


def test_pull_brings_the_file_once(
    server: Server, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = make_entry(server)
    assert locate(entry) is None
    path = pull(entry)
    assert path == folder / "stand-in.model" == locate(entry)
    assert path.read_bytes() == BODY
    assert visible(folder) == ["stand-in.model"]
    assert capsys.readouterr().err == f"pulling stand-in from {entry.url}\n"
    pull(entry)
    assert len(server.requests) == 1


def test_wrong_digest_leaves_nothing(server: Server, folder: Path) -> None:
    with pytest.raises(PotentialError) as caught:
        pull(make_entry(server, sha256="0" * 64))
    message = one_line(caught.value)
    assert SHA256 in message and "0" * 64 in message and server.url in message
    assert visible(folder) == []


def test_truncated_transfer_leaves_nothing(server: Server, folder: Path) -> None:
    with pytest.raises(PotentialError, match="broke off") as caught:
        pull(make_entry(server, sha256=None, route="truncated"), allow_pickle=True)
    one_line(caught.value)
    assert visible(folder) == []


def test_not_found_says_url_and_where_to_put_the_file(server: Server, folder: Path) -> None:
    entry = make_entry(server, route="missing")
    with pytest.raises(PotentialError, match="404 Not Found") as caught:
        pull(entry)
    message = one_line(caught.value)
    assert str(entry.url) in message and str(folder / "stand-in.model") in message
    assert "mlphonon potentials pull stand-in" in message
    assert visible(folder) == []


def test_no_connection(server: Server, folder: Path) -> None:
    entry = make_entry(server)
    server.close()
    with pytest.raises(PotentialError, match="no connection") as caught:
        pull(entry)
    assert str(folder / "stand-in.model") in one_line(caught.value)
    assert visible(folder) == []


def test_offline_variable_forbids_the_network(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLPHONON_OFFLINE", "1")
    with pytest.raises(PotentialError, match="MLPHONON_OFFLINE"):
        pull(make_entry(server))
    assert server.requests == []


def test_file_where_the_folder_should_be(server: Server, folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("in the way")
    with pytest.raises(PotentialError, match="cannot write into") as caught:
        pull(make_entry(server))
    assert str(folder) in one_line(caught.value)
    assert server.requests == []
    assert folder.read_text() == "in the way"
    assert verify() == [SHIPPED]


def test_full_disk(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_some(url: str, path: Path, *_: Any) -> None:
        path.write_bytes(BODY[:1000])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mlphonon.potentials.named.store.download", write_some)
    with pytest.raises(PotentialError, match="No space left") as caught:
        pull(make_entry(server))
    assert str(folder) in one_line(caught.value)
    assert visible(folder) == []


def test_interrupted_pull_leaves_nothing(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(url: str, path: Path, *_: Any) -> None:
        path.write_bytes(BODY[:1000])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mlphonon.potentials.named.store.download", stop)
        with pytest.raises(KeyboardInterrupt):
            pull(make_entry(server))
    assert visible(folder) == []
    pull(make_entry(server))


def test_remains_of_a_killed_pull_do_no_harm(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".stand-in.model-0123abcd").mkdir()
    (folder / ".stand-in.model-0123abcd" / "stand-in.model").write_bytes(BODY * 2)
    assert pull(make_entry(server)).read_bytes() == BODY
    assert visible(folder) == ["stand-in.model"]


def test_two_pulls_at_once_download_once(server: Server) -> None:
    entry = make_entry(server, route="slow")
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: pull(entry, progress=False), range(4)))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == BODY
    assert len(server.requests) == 1


def test_without_a_digest_trust_is_needed_before_the_network(server: Server) -> None:
    with pytest.raises(UntrustedFileError, match="--allow-pickle") as caught:
        pull(make_entry(server, sha256=None))
    assert "runs whatever code it holds" in one_line(caught.value)
    assert server.requests == []


def test_trusted_pull_is_recorded_and_checked_ever_after(server: Server, folder: Path) -> None:
    entry = make_entry(server, sha256=None)
    path = pull(entry, allow_pickle=True)
    assert recorded_digest(path) == SHA256
    record = (folder / "stand-in.model.sha256").read_text()
    assert record == f"{SHA256}  stand-in.model\n"
    assert pull(entry) == path, "what was trusted once needs no further trust"
    assert verify() == [SHIPPED, ("stand-in.model", "recorded")]

    path.write_bytes(BODY + b"x")
    assert verify() == [SHIPPED, ("stand-in.model", "changed")]
    for trust in (False, True):
        with pytest.raises(PotentialError, match="is not the file it should be"):
            pull(entry, allow_pickle=trust)
    assert path.exists(), "a file of the user's is not deleted"


def test_renewed_file_is_not_taken_for_the_trusted_one(server: Server, folder: Path) -> None:
    entry = make_entry(server, sha256=None)
    pull(entry, allow_pickle=True).unlink()
    assert pull(entry).read_bytes() == BODY, "the recorded digest vouches for the same file"
    (folder / "stand-in.model").unlink()
    server.body = BODY[::-1]
    with pytest.raises(PotentialError, match=r"model\.sha256 and pull it with --allow-pickle"):
        pull(entry, allow_pickle=True)
    assert visible(folder) == ["stand-in.model.sha256"]


def test_file_brought_by_hand_falls_under_the_same_rules(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    path = folder / "stand-in.model"
    path.write_bytes(BODY)
    assert pull(make_entry(server)) == path
    unvouched = make_entry(server, sha256=None)
    with pytest.raises(UntrustedFileError):
        pull(unvouched)
    pull(unvouched, allow_pickle=True)
    assert recorded_digest(path) == SHA256
    path.write_bytes(b"another")
    with pytest.raises(PotentialError, match="is not the file it should be") as caught:
        pull(make_entry(server))
    assert "delete it and run 'mlphonon potentials pull stand-in'" in one_line(caught.value)
    assert server.requests == []


def test_digest_beside_a_file_proves_nothing_outside_of_the_store(
    tmp_path: Path, folder: Path
) -> None:
    elsewhere = tmp_path / "gift.model"
    elsewhere.write_bytes(BODY)
    (tmp_path / "gift.model.sha256").write_text(f"{SHA256}  gift.model\n")
    assert recorded_digest(elsewhere) == SHA256
    assert not vouched(elsewhere, SHA256)
    folder.mkdir(parents=True)
    (folder / "gift.model.sha256").write_text(f"{SHA256}  gift.model\n")
    assert vouched(folder / "gift.model", SHA256)
    assert not vouched(folder / "gift.model", "0" * 64)


def test_catalogue_vouches_for_a_digest_wherever_the_file_lies(tmp_path: Path) -> None:
    digest = read_catalogue()["mace-mpa-0"].sha256
    assert digest is not None
    assert vouched(tmp_path / "renamed.model", digest)


def test_digest_of_a_folder_is_that_of_its_files_in_a_row(tmp_path: Path) -> None:
    (tmp_path / "architecture.json").write_bytes(b"{}")
    (tmp_path / "weights.safetensors").write_bytes(b"weights")
    assert sha256_of(tmp_path) == hashlib.sha256(b"{}weights").hexdigest()


def test_unreadable_record_is_one_clear_line(server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "stand-in.model").write_bytes(BODY)
    (folder / "stand-in.model.sha256").write_text("")
    with pytest.raises(PotentialError, match=r"cannot read .*sha256") as caught:
        pull(make_entry(server, sha256=None))
    one_line(caught.value)
    assert verify() == [SHIPPED, ("stand-in.model", "unreadable")]


def test_verify_tells_the_good_from_the_bad(folder: Path) -> None:
    assert verify() == [SHIPPED]
    folder.mkdir(parents=True)
    (folder / "mace-mpa-0-medium.model").write_bytes(b"not that one")
    (folder / "mine.model").write_bytes(BODY)
    (folder / ".mine.model.part").write_bytes(b"")
    assert verify() == [SHIPPED, ("mace-mpa-0", "changed"), ("mine.model", "unknown")]


def test_embedded_needs_no_pull() -> None:
    entry = read_catalogue()["embedded"]
    if locate(entry) is None:
        with pytest.raises(PotentialError, match="ship inside"):
            pull(entry)
    else:
        assert pull(entry) == path_of(entry)
        accept(entry, sha256_of(path_of(entry)))


def test_cache_of_the_platform_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLPHONON_CACHE")
    assert store_folder().parts[-1] == "potentials"
    assert "mlphonon" in store_folder().parts


def test_command_line(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlphonon.cli.potentials import app

    entry = make_entry(server, sha256=None)
    fields = entry.model_dump(exclude={"name"}, exclude_defaults=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text("\n".join(["[stand-in]", *lines]))
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(catalogue))
    run = CliRunner().invoke

    listed = {row["name"]: row for row in json.loads(run(app, ["list", "--json"]).stdout)}
    assert not listed["stand-in"]["here"]
    assert "mace-mpa-0\tmace\tMPtrj + sAlex\tPBE(+U)\tMIT\t9.1 M\tuntested\tto pull 79 MB" in (
        run(app, ["list"]).stdout.splitlines()
    )
    assert isinstance(run(app, ["pull", "stand-in"]).exception, UntrustedFileError)
    pulled = run(app, ["pull", "stand-in", "--allow-pickle"])
    assert pulled.exit_code == 0
    assert pulled.stdout == f"{folder / 'stand-in.model'}\n"
    assert json.loads(run(app, ["info", "stand-in", "--json"]).stdout)["here"] is True
    assert "licence: MIT" in run(app, ["info", "stand-in"]).stdout.splitlines()
    assert run(app, ["verify"]).exit_code == 0
    (folder / "stand-in.model").write_bytes(b"changed")
    checked = run(app, ["verify"])
    assert checked.exit_code == 2
    shipped, pulled_line = checked.stdout.splitlines()
    assert shipped.startswith("embedded\tok")
    assert pulled_line.startswith("stand-in\tBAD")
