from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from phimask.config.model import KeySource, Project, ShadowSetting, Target
from phimask.config.project import load_project
from phimask.errors import ConfigError


def project(
    directory: Path, text: str | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> Project:
    if text is not None:
        (directory / "phimask.yaml").write_text(text, encoding="utf-8")
    return load_project(directory=directory, environ=environ or {}, **flags)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def revealed(found: Project) -> tuple[str | None, str | None]:
    target = found.target.uri if found.target is not None else None
    return found.uri and found.uri.reveal(), target and target.reveal()


def test_nothing_at_all_is_a_project(here: Path) -> None:
    found = project(here)
    assert (found.uri, found.database, found.target, found.profile) == (None, None, None, None)
    assert found.key == KeySource(env="PHIMASK_KEY")
    assert found.collections == found.plugins == ()
    assert found.directory == here


def test_a_whole_file(here: Path) -> None:
    text = """
version: 1
uri: ${URI}
database: ehr
target: {uri: "mongodb://u:${PW}@other", database: masked}
key: {file: keys/masking.key}
profile: production
collections: [container, encounters]
plugins: [mine.py]
"""
    found = project(here, text, {"URI": "mongodb://a:hunter2@db/$x", "PW": "hunter3"})
    assert revealed(found) == ("mongodb://a:hunter2@db/$x", "mongodb://u:hunter3@other")
    assert found.key == KeySource(file=here / "keys" / "masking.key")
    assert (found.profile, found.collections, found.plugins) == (
        "production",
        ("container", "encounters"),
        ("mine.py",),
    )
    assert "hunter" not in repr(found) + str(found.uri) + f"{found.uri}"


def test_flags_go_over_the_file_and_the_file_over_variables(here: Path) -> None:
    variables = {"PHIMASK_URI": "mongodb://variable:pw@v", "PHIMASK_TARGET_URI": "mongodb://variable:pw@t"}
    assert revealed(project(here, environ=variables, database="a")) == (*variables.values(),)
    text = "version: 1\nuri: mongodb://file\ndatabase: a\ntarget: {uri: mongodb://file-target}\n"
    assert revealed(project(here, text, variables)) == ("mongodb://file", "mongodb://file-target")
    flags = project(
        here, environ=variables, uri="mongodb://flag", target_uri="mongodb://flag-target", database="b"
    )
    assert revealed(flags) == ("mongodb://flag", "mongodb://flag-target")
    assert flags.database == "b"


def test_a_flag_spares_the_variable_that_the_file_would_need(here: Path) -> None:
    text = "version: 1\nuri: ${NO_SUCH}\n"
    assert revealed(project(here, text, uri="mongodb://flag"))[0] == "mongodb://flag"
    with pytest.raises(ConfigError, match="NO_SUCH is not set"):
        project(here)


def test_a_target_variable_alone_asks_for_a_copy(here: Path) -> None:
    found = project(here, environ={"PHIMASK_TARGET_URI": "mongodb://t"}, uri="mongodb://s", database="ehr")
    assert revealed(found) == ("mongodb://s", "mongodb://t")


def test_a_target_flag_completes_the_file_s_target(here: Path) -> None:
    text = 'version: 1\ntarget: {uri: "mongodb://t"}\n'
    found = project(here, text, target_database="masked")
    assert revealed(found)[1] == "mongodb://t"
    assert found.target is not None
    assert found.target.database == "masked"
    (here / "phimask.yaml").unlink()
    assert project(here, target_database="masked").target == Target(uri=None, database="masked")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            {"uri": "mongodb://admin:hunter2@db"},
            "--uri: $: a credential stands on the command line, where every process can read it; "
            "set the environment variable PHIMASK_URI to the connection string instead",
        ),
        (
            {"target_uri": "mongodb://admin:hunter2@db"},
            "--target-uri: $: a credential stands on the command line, where every process can read it; "
            "set the environment variable PHIMASK_TARGET_URI to the connection string instead",
        ),
        (
            {"uri": "db.example.org"},
            "--uri: $.uri: the value is not allowed here; "
            "write mongodb://HOST:PORT or mongodb+srv://HOST, or ${PHIMASK_URI}",
        ),
        (
            {"database": "a b"},
            "--db: $.database: 'a b' is not allowed here; "
            "write a database's name: up to 63 characters, none of / \\ . \" $ * < > : | ? or a space, "
            "and not admin, config or local, which are MongoDB's own",
        ),
        (
            {"database": "ehr", "target_database": "ehr"},
            "--target-db: $.target.database: the database 'ehr' is the source itself; "
            "name another database; to mask in place, leave target out",
        ),
        (
            {"uri": "mongodb://db", "target_uri": "mongodb://db", "database": "ehr"},
            "--target-uri: $.target: the target is the source itself; "
            "name another database; to mask in place, leave target out",
        ),
    ],
)
def test_flags_are_judged_like_a_file(here: Path, flags: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        project(here, **flags)
    assert str(caught.value) == said


def test_a_variable_s_fault_does_not_show_it(here: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        project(here, environ={"PHIMASK_URI": "hunter2"})
    assert str(caught.value).startswith("PHIMASK_URI: $.uri: the value is not allowed here")
    assert "hunter2" not in str(caught.value)


def test_a_target_on_another_deployment_may_have_the_same_names(here: Path) -> None:
    found = project(here, uri="mongodb://a", target_uri="mongodb://b", database="ehr", target_database="ehr")
    assert found.target is not None
    assert found.target.database == "ehr"


def test_names_are_relative_to_the_project_file(here: Path) -> None:
    (here / "sub").mkdir()
    file = here / "sub" / "other.yaml"
    file.write_text("version: 1\nkey: {file: k}\n", encoding="utf-8")
    found = load_project(project_file=file, directory=here, environ={})
    assert found.directory == here / "sub"
    assert found.key.file == here / "sub" / "k"


def test_a_named_project_file_has_to_exist(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: \$: the file cannot be read"):
        load_project(project_file=here / "none.yaml", directory=here, environ={})


def test_a_shadow_is_no_other_place(here: Path) -> None:
    text = "version: 1\nuri: mongodb://file\ndatabase: a\ntarget: {shadow: %s}\n"
    for written, keeps in (("true", True), ("{}", True), ("{keep_original: false}", False)):
        found = project(here, text % written, {"PHIMASK_TARGET_URI": "mongodb://elsewhere"})
        assert found.target == Target(None, None, ShadowSetting(keep_original=keeps))
    for flags in ({"target_database": "b"}, {"target_uri": "mongodb://b"}):
        with pytest.raises(ConfigError, match="a shadow is a collection of the database that is masked"):
            project(here, text % "true", **flags)
