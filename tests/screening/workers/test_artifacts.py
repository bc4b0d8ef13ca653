"""Phonons on disk are named by what is in them."""

from __future__ import annotations

from pathlib import Path

from mlphonon import Phonons
from mlphonon.screening.workers.artifacts import folder_digest, keep
from mlphonon.screening.workers.outcome import Folder


def folder_of(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(content)
    return path


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    first = folder_digest(folder_of(tmp_path / "a", x="0.123", y="1"))
    assert first == folder_digest(folder_of(tmp_path / "b", x="0.123", y="1"))
    assert first[1] == 6
    others = (
        folder_of(tmp_path / "c", x="0.124", y="1"),  # as long
        folder_of(tmp_path / "d", x="0.123", z="1"),
        folder_of(tmp_path / "e", x="1", y="0.123"),
    )
    digests = {folder_digest(other)[0] for other in others} | {first[0]}
    assert len(digests) == 4
    inside = folder_of(tmp_path / "f", x="0.123")
    folder_of(inside / "sscha-300", y="1")
    assert folder_digest(inside)[0] not in digests


def test_what_is_kept_is_what_comes_back(
    tmp_path: Path, quartz_phonons: Phonons, rocksalt_phonons: Phonons
) -> None:
    folder = Folder(tmp_path).prepare()
    kept = [keep(one, folder, {}) for one in (quartz_phonons, rocksalt_phonons, quartz_phonons)]
    assert kept[0] == kept[2]
    assert kept[0].path != kept[1].path
    for artifact, phonons in zip(kept, (quartz_phonons, rocksalt_phonons), strict=False):
        home = tmp_path / artifact.path
        assert folder_digest(home) == (artifact.sha256, artifact.bytes)
        assert Phonons.load(home).record.formula == phonons.record.formula
    assert not list((tmp_path / "phonons").glob(".part*"))
