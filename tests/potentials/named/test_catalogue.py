"""The catalogue: complete, unambiguous, and open to a user's own entries."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from mlphonon.errors import PotentialError
from mlphonon.potentials.named.catalogue import (
    find_entry,
    known_names,
    read_catalogue,
    read_families,
)
from mlphonon.potentials.named.family import Family, fill, parse_elements

TESTED_FAMILIES = {"sevennet", "chgnet", "nequix", "matgl"}
UNTESTED_FAMILIES = {
    "alignn",
    "calorine",
    "deepmd",
    "fairchem",
    "fairchem-1",
    "grace",
    "mattersim",
    "nequip",
    "orb",
    "pet",
}

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

    mace = [entry for entry in read_catalogue().values() if entry.family == "mace"]
    ours = {entry.url: entry for entry in mace if entry.url}
    assert set(ours) == set(mace_mp_urls.values())
    for short_name, url in mace_mp_urls.items():
        if short_name not in ("small", "medium", "large"):
            assert find_entry(short_name).url == url


def test_every_download_has_a_file_name_and_a_digest_of_its_own() -> None:
    downloads = [entry for entry in read_catalogue().values() if entry.source == "download"]
    digests = [entry.sha256 for entry in downloads if entry.sha256]
    assert len(set(digests)) == len(digests)
    assert all(entry.sha256 for entry in downloads if entry.family == "mace")
    assert len({entry.filename for entry in downloads}) == len(downloads)
    for entry in downloads:
        assert entry.url is not None
        assert entry.contents or entry.url.endswith(f"/{entry.filename}")


def test_what_was_run_here_is_vouched_for() -> None:
    """Nothing is called tested whose weights could have been others."""
    tested = {entry.name: entry for entry in read_catalogue().values() if entry.tested}
    assert all(entry.sha256 for entry in tested.values())
    assert {"embedded", "sevennet-0", "sevennet-l3i5", "chgnet", "nequix-oam-1-pft"} <= set(tested)
    assert not any(entry.family in UNTESTED_FAMILIES for entry in tested.values())


def test_every_family_of_the_survey_is_here() -> None:
    families = {entry.family for entry in read_catalogue().values()}
    assert families == set(read_families()) == {"mace", *TESTED_FAMILIES, *UNTESTED_FAMILIES}


@pytest.mark.parametrize("family", [f for f in read_families().values() if not f.in_process])
def test_every_environment_is_pinned(family: Family) -> None:
    assert any("==" in text for text in (*family.requirements, *family.unresolved))
    assert (family.lock is not None) == (family.name in TESTED_FAMILIES)
    if family.module.endswith(".py"):
        assert Path(family.module_path).is_file()
    if family.lock is not None:
        locked = family.lock.read_text().splitlines()
        assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in locked)
        # torch is that of this process, not the lock's.
        assert not any(line.startswith(("torch==", "pip==")) for line in locked)


@pytest.mark.parametrize(
    "family", [f for f in read_families().values() if f.module.endswith(".py")]
)
def test_a_call_fits_its_adapter(family: Family) -> None:
    """Each entry gives an adapter of ours the arguments it takes, and no others."""
    source = ast.parse(Path(family.module_path).read_text())
    (make,) = (n for n in source.body if isinstance(n, ast.FunctionDef) and n.name == "make")
    names = [argument.arg for argument in make.args.args]
    required = set(names[: len(names) - len(make.args.defaults)])
    for entry in read_catalogue().values():
        if entry.family == family.name:
            places = dict.fromkeys(("weights", "device", "dtype", "head"), "x")
            given = set(fill(family.arguments | entry.arguments, places))
            assert required <= given <= set(names), entry.name


def test_direct_forces_are_marked() -> None:
    direct = {entry.name for entry in read_catalogue().values() if not entry.conservative}
    assert direct == {"orb-v2", "orb-v3-direct-inf-omat", "eqv2-m-omat-mp-salex"}


def test_arguments_and_elements() -> None:
    places = {"weights": "/w", "device": "cpu", "head": None}
    given = {"path": "{weights}", "head": "{head}", "n": 3, "name": "a{b}"}
    assert fill(given, places) == {"path": "/w", "n": 3, "name": "a{b}"}
    assert parse_elements("1-3, 8") == {1, 2, 3, 8}
    for text in ("", "1-", "0-3", "5-119", "9-8", "H"):
        with pytest.raises(ValueError, match="atomic numbers"):
            parse_elements(text)


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
        (NEW_ENTRY + 'family = "nets"', "family 'nets' that is not there"),
        (NEW_ENTRY + 'elements = "H"', "elements"),
        (NEW_ENTRY + "scores = { x = 1 }", "scores need a source"),
        ('[family.x]\nrequirements = ["x"]', "module or requirements are missing"),
        ("[family]\nx = 1", "outside of a table"),
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
