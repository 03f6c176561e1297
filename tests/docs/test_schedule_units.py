"""The units of docs/how-to/units: well-formed, with options that the command line has and exit codes that it gives."""

from __future__ import annotations

import configparser
import getpass
import inspect
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
import yaml

from phimask import errors
from phimask.cli.commands import COMMANDS

UNITS = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "units"
PAGE = UNITS.parent / "run-unattended.md"
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
FOR_A_PERSON = {2, 3}
RESUMABLE = {4, 130}


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, strict=True)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((UNITS / name).read_text(encoding="utf-8"))
    return read


def job() -> Any:
    return yaml.safe_load((UNITS / "kubernetes-job.yaml").read_text(encoding="utf-8"))


def task() -> ElementTree.Element:
    return ElementTree.fromstring((UNITS / "phimask-task.xml").read_text(encoding="utf-8"))


def found(element: ElementTree.Element, path: str) -> str:
    one = element.find("/".join(TASK + part for part in path.split("/")))
    assert one is not None, path
    return str(one.text)


def commands() -> Iterator[tuple[str, list[str]]]:
    """All command lines of the units and of the page, without the program's name."""
    yield "systemd", shlex.split(unit("phimask.service")["Service"]["ExecStart"])[1:]
    (container,) = job()["spec"]["template"]["spec"]["containers"]
    assert container["command"][0] == "phimask"
    yield "kubernetes", [*container["command"][1:], *container.get("args", [])]
    assert found(task(), "Actions/Exec/Command").endswith("phimask.exe")
    yield "windows", found(task(), "Actions/Exec/Arguments").split()
    for line in re.findall(r"^phimask (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        yield "page", shlex.split(line.partition(" > ")[0])


def parsed(arguments: list[str]) -> click.Context:
    """What click makes of a command line; nothing is run. Raises UsageError for what it does not know."""
    command = COMMANDS[arguments[0]].command()
    return command.make_context(arguments[0], arguments[1:])


@pytest.mark.parametrize(("where", "arguments"), [*commands()])
def test_options_are_those_of_the_command_line(where: str, arguments: list[str]) -> None:
    context = parsed(arguments)
    if where != "page":
        assert context.info_name == "resume"
        assert context.params["or_begin"] is True
        assert context.params["report_file"] is not None
        assert context.params["log_dir"] is not None


def test_the_check_of_options_can_fail() -> None:
    with pytest.raises(click.UsageError, match="--or-start"):
        parsed(["resume", "--or-start"])


def test_exit_codes_are_those_of_the_command() -> None:
    given = {
        one.exit_code for _, one in inspect.getmembers(errors, inspect.isclass) if hasattr(one, "exit_code")
    }
    assert given == {1} | FOR_A_PERSON | RESUMABLE

    service = unit("phimask.service")["Service"]
    assert set(map(int, service["SuccessExitStatus"].split())) == RESUMABLE
    assert set(map(int, service["RestartPreventExitStatus"].split())) == FOR_A_PERSON
    assert service["Restart"] == "on-failure"

    fail, ignore = job()["spec"]["podFailurePolicy"]["rules"]
    assert fail["action"] == "FailJob"
    assert fail["onExitCodes"]["operator"] == "In"
    assert set(fail["onExitCodes"]["values"]) == FOR_A_PERSON
    assert (ignore["action"], ignore["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")


def test_the_timer_starts_the_service() -> None:
    timer = unit("phimask.timer")
    assert timer["Timer"].get("Unit", "phimask.service") == "phimask.service"
    assert re.fullmatch(r"\*-\*-\* \d\d:\d\d:\d\d", timer["Timer"]["OnCalendar"])
    service = unit("phimask.service")["Service"]
    assert "disable --now phimask.timer" in service["ExecStopPost"]
    assert "=" not in service["EnvironmentFile"], "a unit is readable by all: no secret belongs into it"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With a program and an account that are there, which it looks for."""
    for name in ("phimask.service", "phimask.timer"):
        text = (UNITS / name).read_text(encoding="utf-8")
        text = text.replace("/opt/phimask/bin/phimask", sys.executable)
        (tmp_path / name).write_text(
            text.replace("User=phimask", f"User={getpass.getuser()}"), encoding="utf-8"
        )
    said = verified(tmp_path)
    assert said.returncode == 0, said.stderr
    assert "phimask" not in said.stderr, said.stderr
    broken = (tmp_path / "phimask.service").read_text(encoding="utf-8").replace("Type=oneshot", "Type=once")
    (tmp_path / "phimask.service").write_text(broken, encoding="utf-8")
    assert "once" in verified(tmp_path).stderr


def verified(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "phimask.service", "phimask.timer"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_job_is_one_that_kubernetes_takes() -> None:
    one = job()
    assert (one["apiVersion"], one["kind"]) == ("batch/v1", "Job")
    assert set(one["spec"]) <= {"backoffLimit", "podFailurePolicy", "template", "completions", "parallelism"}
    pod = one["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never", "podFailurePolicy needs it"
    (container,) = pod["containers"]
    named = {rule["onExitCodes"]["containerName"] for rule in one["spec"]["podFailurePolicy"]["rules"][:1]}
    assert named == {container["name"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }
    secret = {variable["name"] for variable in container["env"] if "valueFrom" in variable}
    assert secret == {"PHIMASK_URI", "PHIMASK_KEY"}
    written = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    paths = [word for word in container["command"] if word.startswith("/")]
    assert paths
    assert all(any(path.startswith(f"{place}/") for place in written) for path in paths)


def test_the_task_is_one_that_windows_takes() -> None:
    one = task()
    assert one.tag == f"{TASK}Task"
    parts = [part.tag.removeprefix(TASK) for part in one]
    assert parts == ["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found(one, "Triggers/CalendarTrigger/StartBoundary")
    )
    limit = re.fullmatch(r"PT(\d+)H", found(one, "Settings/ExecutionTimeLimit"))
    most = re.fullmatch(
        r"(\d+)h", parsed(found(one, "Actions/Exec/Arguments").split()).params["max_duration"]
    )
    assert limit is not None
    assert most is not None
    assert int(most[1]) < int(limit[1]), "it has to stop by itself before it is killed"
    assert found(one, "Settings/MultipleInstancesPolicy") == "IgnoreNew"
    (principal,) = one.findall(f"{TASK}Principals/{TASK}Principal")
    (actions,) = one.findall(f"{TASK}Actions")
    assert actions.get("Context") == principal.get("id")
