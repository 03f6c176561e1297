from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Any

import pytest
from fake_catalog import FakeCatalog
from jsonschema import Draft202012Validator

from phimask.config.data import data_dir, shipped, shipped_schema
from phimask.config.model import (
    Alerts,
    Breaker,
    Canary,
    Profile,
    ReplicaLag,
    Retry,
    SlowRun,
    ThrottleSettings,
    TimeWindow,
)
from phimask.config.nodes import plain
from phimask.config.profile import load_profile
from phimask.config.yaml_lines import read_yaml
from phimask.errors import ConfigError

VALIDATORS = ("count", "structure", "no_original", "untouched")
AFTERWARDS = ("residual", "leak", "referential", "indexes")


def profile(name: str, directory: Path = Path(), **given: Any) -> Profile:
    return load_profile(name, directory=directory, environ={}, components=FakeCatalog(), **given)


@pytest.mark.parametrize("path", sorted(data_dir("profiles").rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_file_follows_the_shipped_schema(path: Path) -> None:
    kind = "collection" if path.parent.name == "collections" else "profile"
    tree = plain(read_yaml(path, path.name))
    if path.parent.name == "overlays":  # laid over a profile, as a child is
        tree["extends"] = "any"
    assert list(Draft202012Validator(shipped_schema(kind)).iter_errors(tree)) == []


@pytest.mark.parametrize("kind", ["profile", "collection", "project"])
def test_the_shipped_schemas_are_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(shipped_schema(kind))


@pytest.mark.parametrize("name", sorted(shipped("profile")))
def test_every_shipped_profile_loads_and_checks_everything(name: str) -> None:
    found = profile(name)
    assert found.name == name
    expected = (*VALIDATORS, *AFTERWARDS) if name == "production" else VALIDATORS
    assert {choice.name for choice in found.validators} == set(expected)
    assert found.executor.name == ("inline" if name == "emergency" else "local")
    assert found.check_sample > 0
    assert found.description


@pytest.mark.parametrize("name", sorted(shipped("profile")))
def test_every_value_of_a_shipped_profile_is_explained(name: str) -> None:
    lines = shipped("profile")[name].read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line[:1].isalpha() and not line.startswith(
            ("version", "extends", "description", "observers", "validators")
        ):
            block = lines[number : number + 1]
            block += [following for following in lines[number + 1 :][:8] if following.startswith(" ")]
            assert lines[number - 1].startswith("#") or any("#" in each for each in block), line


def test_emergency_keeps_its_promises() -> None:
    found = profile("emergency")
    assert found.partitioner.name == "single"
    assert found.memory_governor.options == {"soft": 1_500_000_000, "hard": 2_000_000_000}
    options = found.batch_sizer.options
    assert (options["target"], options["longest"], options["documents"]) == (4.0, 5.0, 20_000)
    assert found.breaker == Breaker(
        failures=3, slow_batch=15.0, memory=2_000_000_000, cool_down=30.0, trips=3
    )
    assert found.canary == Canary(
        batches=10, min_documents_per_second=300.0, max_memory=2_000_000_000, max_batch_seconds=8.0
    )
    assert found.retry == Retry(attempts=8, initial=0.1, longest=10.0)
    assert (found.check_sample, found.prescan, found.strict) == (4, 1000, False)


def test_parallel_and_its_children_differ_where_they_say_so() -> None:
    parallel, advanced, production = profile("parallel"), profile("advanced"), profile("production")
    assert parallel.memory_governor.options["hard"] == 3_000_000_000
    assert parallel.batch_sizer.options["documents"] == 5000
    assert parallel.partitioner.options["target_size"] == 128_000_000
    assert advanced.batch_sizer.options["target"] == 3.0
    assert advanced.batch_sizer.options["bytes"] > parallel.batch_sizer.options["bytes"]
    assert advanced.check_sample > parallel.check_sample
    assert production.strict
    assert production.check_sample > parallel.check_sample
    assert production.batch_sizer.options["bytes"] == parallel.batch_sizer.options["bytes"]


@pytest.mark.parametrize("name", sorted(shipped("profile")))
def test_safe_mode_makes_any_profile_careful(name: str) -> None:
    found = profile(name, safe_mode=True)
    assert (found.batch_sizer.name, found.batch_sizer.options) == (
        "fixed",
        {"documents": 100, "bytes": 4_000_000},
    )
    assert (found.breaker.failures, found.breaker.trips) == (1, 1)
    assert found.check_sample == 1_000_000
    assert tuple(choice.name for choice in found.validators) == (*VALIDATORS, *AFTERWARDS)
    assert found.strict
    assert found.breaker.slow_batch == profile(name).breaker.slow_batch


def test_settings_go_over_everything() -> None:
    found = profile(
        "emergency",
        safe_mode=True,
        settings=[
            "breaker.trips=9",
            "batch_sizer.options.documents=7",
            "canary={batches: 2, min_documents_per_second: 1, max_memory: 1GB, max_batch: 1s}",
            "observers=[log]",
            "breaker.trips=8",
        ],
    )
    assert found.breaker.trips == 8
    assert found.batch_sizer.options == {"documents": 7, "bytes": 4_000_000}
    assert found.canary == Canary(2, 1.0, 1_000_000_000, 1.0)
    assert [choice.name for choice in found.observers] == ["log"]


def test_a_setting_of_another_component_drops_the_old_one_s_options() -> None:
    assert profile("emergency", settings=["batch_sizer=fixed"]).batch_sizer.options == {
        "documents": 1000,
        "bytes": 16_000_000,
    }
    found = profile("emergency", settings=["partitioner.name=paginate", "partitioner.options.documents=5"])
    assert found.partitioner.options == {"documents": 5}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("breaker.trips", "--set: $: 'breaker.trips' is no setting; write key.path=value, such as breaker.trips=1"),
        ("token: hunter2", "--set: $: 'token' is no setting; write key.path=value, such as breaker.trips=1"),
        ("=5", "--set: $: '' is no setting; write key.path=value, such as breaker.trips=1"),
        ("breaker..trips=5", "--set: $: 'breaker..trips' is no setting; write key.path=value, such as breaker.trips=1"),
        ("breaker.trips=", "--set: $.breaker.trips: no value is given; write key.path=value, or =null for none"),
        ("breaker.trip=5", "--set: $.breaker.trip: unknown key 'trip'; did you mean 'trips'?"),
        ("braeker.trips=5", "--set: $.braeker: unknown key 'braeker'; did you mean 'breaker'?"),
        ("breaker.trips=few", "--set: $.breaker.trips: 'few' is not a whole number; write a whole number, such as 3"),
        ("batch_sizer.options.target=soon",
         "--set: $.batch_sizer.options.target: 'soon' is no time; write a time such as 250ms, 8s, 2m or 1h"),
        ("partitioner=sampel", "--set: $.partitioner: there is no partitioner 'sampel'; did you mean 'sample'?"),
        ("extends=parallel", "--set: $.extends: extends cannot be set here; name another profile with --profile"),
        ("alerts.slwo=null", "--set: $.alerts.slwo: unknown key 'slwo'; did you mean 'slow'?"),
        ("alerts.slow=200", "--set: $.alerts.slow: '200' is not a mapping; "
         "write {documents_per_second: 200, over: 1m}, or null"),
        ("alerts.memory=2 rooms", "--set: $.alerts.memory: '2 rooms' has no unit that phimask knows; "
         "write a size such as 64MB, 1.5GB or 512MiB"),
        ("alerts.worker=0", "--set: $.alerts.worker: '0' is less than 1; write 1 or more"),
        ("strict=[", "--set: $.strict: a bracket or brace is opened here and not closed, or a comma is missing; "
         "close it, and put values that hold { } [ ] or a comma in quotes"),
        ("strict={a: 1, a: 2}", "--set: $.strict: the key 'a' is given twice; keep one of them"),
        ("observers=[{name: pager, options: {token: hunter22}}]",
         "--set: $.observers[0].options.token: a secret stands on the command line, where every process can read it; "
         "write ${NAME} in the profile, and set that variable"),
    ],
)  # fmt: skip
def test_a_wrong_setting_says_so(setting: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        profile("emergency", settings=[setting])
    assert str(caught.value).splitlines() == [said]


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def test_the_shipped_profiles_watch_the_lag_and_production_everything() -> None:
    lag = ReplicaLag(pause=2.0, resume=1.0)
    assert profile("emergency").throttle == ThrottleSettings(lag, False, (), None)
    assert profile("parallel").throttle == ThrottleSettings(lag, True, (), None)
    assert profile("advanced").throttle == profile("parallel").throttle
    assert profile("production").throttle == ThrottleSettings(lag, True, (), Path("phimask.pause"))


def test_a_profile_without_a_throttle_watches_what_needs_no_choice(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    text = shipped("profile")["emergency"].read_text(encoding="utf-8")
    before, _, rest = text.partition("throttle:\n")
    after = rest[rest.index("check:\n") :]
    (tmp_path / "profiles" / "own.yaml").write_text(before + after, encoding="utf-8")
    assert profile("own", tmp_path).throttle == ThrottleSettings(ReplicaLag(2.0, 1.0), True, (), None)


def test_the_throttle_is_set_like_anything_else() -> None:
    found = profile(
        "production",
        settings=[
            "throttle.replica_lag.pause=1s",
            "throttle.flow_control=false",
            "throttle.flag_file=null",
            "throttle.windows=[{from: 22:00, to: 24:00, days: [sat]}, {from: '00:30', to: '06:00', zone: UTC}]",
        ],
    ).throttle
    assert found.replica_lag == ReplicaLag(pause=1.0, resume=1.0)
    assert (found.flow_control, found.flag_file) == (False, None)
    assert found.windows == (
        TimeWindow(time(22), time(0), ("sat",), None),
        TimeWindow(time(0, 30), time(6), DAYS, "UTC"),
    )
    assert profile("production", settings=["throttle.replica_lag=null"]).throttle.replica_lag is None


FACTS = {"breaker": 1, "worker": 1, "quarantine": 1, "finding": 1, "finished": True}


def test_production_alerts_of_what_is_slow_large_or_long_and_all_of_what_went_wrong() -> None:
    assert profile("production").alerts == Alerts(
        slow=SlowRun(200.0, 60.0), memory=2_000_000_000, batch=10.0, holding=300.0, **FACTS
    )
    for name in ("emergency", "parallel", "advanced"):
        assert profile(name).alerts == Alerts(slow=None, memory=None, batch=None, holding=None, **FACTS)


def test_alerts_are_set_like_anything_else() -> None:
    found = profile(
        "production",
        settings=["alerts.slow=null", "alerts.batch=1500ms", "alerts.breaker=null", "alerts.finished=null"],
    ).alerts
    assert (found.slow, found.batch, found.breaker, found.finished) == (None, 1.5, None, False)
    assert found.memory == 2_000_000_000
    slow = profile("emergency", settings=["alerts.slow.documents_per_second=50"]).alerts.slow
    assert slow == SlowRun(50.0, 60.0)


def test_a_project_s_profile_may_extend_the_shipped_one_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    own = tmp_path / "profiles" / "production.yaml"
    own.write_text("version: 1\nextends: production\nstrict: false\n", encoding="utf-8")
    found = profile("production", tmp_path)
    assert not found.strict
    assert found.check_sample == profile("production", tmp_path / "none").check_sample
    assert found.origin.line == 1
    assert found.origin.file == own.as_posix()


def test_an_inherited_choice_names_the_parent_s_line() -> None:
    lines = shipped("profile")["parallel"].read_text(encoding="utf-8").splitlines()
    origin = profile("production").memory_governor.origin
    assert origin.file.endswith("parallel.yaml")
    assert lines[(origin.line or 0) - 1] == "memory_governor:"
