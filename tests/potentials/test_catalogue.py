"""The catalogue: complete, unambiguous, and open to a user's own entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlphonon.errors import PotentialError
from mlphonon.potentials.catalogue import find_entry, known_names, read_catalogue

NEW_ENTRY = """
[my-potential]
url = "https://example.org/my.model"
filename = "my.model"
licence = "MIT"
reference = "none"
training_set = "mine"
functional = "PBE"
"""


@pytest.fixture
def user_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "catalogue.toml"
    path.write_text(NEW_ENTRY)
    monkeypatch.setenv("MLPHONON_CATALOGUE", str(path))
    return path


def test_every_model_that_mace_names_is_here_under_its_url() -> None:
    from mace.calculators.foundations_models import mace_mp_urls

    ours = {entry.url: entry for entry in read_catalogue().values() if entry.url}
    assert set(ours) == set(mace_mp_urls.values())
    for short_name, url in mace_mp_urls.items():
        if short_name not in ("small", "medium", "large"):
            assert find_entry(short_name).url == url


def test_every_download_has_a_digest_and_a_file_name_of_its_own() -> None:
    downloads = [entry for entry in read_catalogue().values() if not entry.ships_inside]
    assert len({entry.sha256 for entry in downloads} - {None}) == len(downloads)
    assert len({entry.filename for entry in downloads}) == len(downloads)
    for entry in downloads:
        assert entry.url is not None and entry.url.endswith(f"/{entry.filename}")


def test_models_under_the_academic_licence_say_so() -> None:
    academic = ("mace-omat-0", "mace-omat-0-small", "mace-matpes-pbe-0", "mace-mh-1")
    assert {find_entry(name).licence for name in academic} == {"ASL"}
    assert find_entry("mace-mpa-0").licence == "MIT"


def test_aliases_lead_to_the_entry() -> None:
    assert find_entry("mace-mp-0").name == "mace-mp-0-medium"
    assert find_entry(" MACE-MPA-0 ").name == "mace-mpa-0"
    assert find_entry("medium-mpa-0") is known_names()["mace-mpa-0"]
    assert find_entry("mace-mh-1").default_head == "omat_pbe"
    assert find_entry("embedded").ships_inside


def test_unknown_name_gives_those_spelt_alike() -> None:
    with pytest.raises(PotentialError) as caught:
        find_entry("mace-mpa0")
    assert "mace-mpa-0" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(PotentialError, match="potentials list"):
        find_entry("qqqq")


def test_user_file_adds_and_overrides(user_catalogue: Path) -> None:
    assert find_entry("my-potential").sha256 is None
    user_catalogue.write_text(NEW_ENTRY + '\n[mace-mpa-0]\nurl = "https://mirror.org/x.model"\n')
    mirrored = find_entry("mace-mpa-0")
    assert mirrored.url == "https://mirror.org/x.model"
    assert mirrored.sha256 is not None, "a mirror is still held to the digest"
    user_catalogue.write_text("")
    assert "my-potential" not in read_catalogue()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[my potential", "cannot read the catalogue"),
        ("x = 1", "outside of a table"),
        ('[a]\nlicence = "MIT"', "entry 'a'"),
        (NEW_ENTRY + 'sha256 = "abc"', "sha256"),
        (NEW_ENTRY.replace("my.model", "../../my.model", 2), "filename"),
        (NEW_ENTRY.replace("https:", "file:"), "url"),
        (NEW_ENTRY + 'aliases = ["mh-1"]', "two potentials for 'mh-1'"),
        (NEW_ENTRY.replace('"my.model"', '"mace-mh-1.model"'), "two potentials for"),
        (NEW_ENTRY + 'heads = ["a", "b"]', "default_head"),
        (NEW_ENTRY.replace('filename = "my.model"', ""), "go together"),
        ('[a]\nlicence="-"\nreference="-"\ntraining_set="-"\nfunctional="-"', "are missing"),
    ],
)
def test_faulty_user_file_is_one_clear_line(user_catalogue: Path, text: str, message: str) -> None:
    user_catalogue.write_text(text)
    with pytest.raises(PotentialError, match=message) as caught:
        read_catalogue()
    assert "\n" not in str(caught.value)


def test_missing_user_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLPHONON_CATALOGUE", "/no/such/file.toml")
    with pytest.raises(PotentialError, match="No such file"):
        read_catalogue()
