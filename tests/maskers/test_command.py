"""command: a program's answers, and what becomes of a program that gives none."""

# ruff: noqa: DTZ001  (BSON dates decode to naive UTC)

from __future__ import annotations

import datetime
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from bson import json_util
from bson.binary import Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from masker_cases import mask, same

from phimask import FAILED, Column, StoreError
from phimask_plugins.maskers import Command, line_process

LOOP = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    values = request["values"]
    {0}
"""
ANSWER = 'print(json.dumps({"values": values}), flush=True)'
REVERSE = "values = [v[::-1] + '!' if isinstance(v, str) else v for v in values]; " + ANSWER


def command(body: str, **options: Any) -> Command:
    program = [sys.executable, "-I", "-S", "-c", LOOP.replace("{0}", body)]
    return Command({"command": program, "timeout": 20.0, **options})


def child(masker: Command) -> psutil.Process:
    (only,) = [one for one in psutil.Process().children() if LOOP[:20] in " ".join(one.cmdline())]
    return only


@pytest.fixture(autouse=True)
def _no_child_is_left():
    yield
    gc.collect()
    assert not [one for one in psutil.Process().children() if LOOP[:20] in " ".join(one.cmdline())]


def test_values_come_back_as_the_program_masked_them():
    masker = command(REVERSE)
    assert mask(masker, "Ada", "", "Zoë 🩺", 'quo"te\n') == ["adA!", "", "🩺 ëoZ!", '\net"ouq!']
    first = child(masker).pid
    assert mask(masker, "again") == ["niaga!"]
    assert child(masker).pid == first


def test_the_program_is_told_the_path_and_nothing_when_there_is_nothing_to_ask():
    masker = command("values = [request['path'] for v in values]; " + ANSWER)
    assert masker.mask(Column("Visits.Name", ["x", "y"], [])) == ["Visits.Name"] * 2
    assert mask(command("os._exit(1)"), "", "") == ["", ""]
    assert mask(command("os._exit(1)")) == []


def test_types_go_there_and_back():
    values = [
        "text", 7, Int64(2**40), Int64(5), 1.0, 0.25, Decimal128("1.50"), True, ObjectId(b"\1" * 12),
        datetime.datetime(1987, 5, 17, 14, 3, 0, 125000), DatetimeMS(2**60), DatetimeMS(-62_135_596_800_001),
        b"\0\xff", Binary(b"\1" * 16, 4), Binary(b"x", 128), Timestamp(5, 6), Regex("^a", "i"), float("nan"),
    ]  # fmt: skip
    masker = command(ANSWER, may_keep=True)
    assert masker.changes == "maybe"
    results = mask(masker, *values)
    assert all(same(result, value) for result, value in zip(results, values, strict=True))
    sent = json.loads(json_util.dumps(values[:6], json_options=json_util.RELAXED_JSON_OPTIONS))
    assert sent == ["text", 7, 2**40, 5, 1.0, 0.25]


def test_what_stays_fails_unless_it_may():
    assert mask(command(ANSWER), "Ada", 5) == [FAILED, FAILED]
    assert mask(command(ANSWER, may_keep=True), "Ada", 5) == ["Ada", 5]


@pytest.mark.parametrize(
    ("value", "answer", "expected"),
    [
        ("a", "null", FAILED),
        ("a", "5", FAILED),
        ("a", '"b"', "b"),
        ("a", '"\\\\ud800"', FAILED),
        ("a", "[1]", FAILED),
        ("a", '{"b": 1}', FAILED),
        (5, "6", 6),
        (5, "6.5", FAILED),
        (5, "true", FAILED),
        (5, str(2**40), FAILED),
        (Int64(5), "6", Int64(6)),
        (1.5, "2", 2.0),
        (1.5, "2.5", 2.5),
        (True, "1", FAILED),
        (datetime.datetime(2000, 1, 1), '{"$date": "2001-01-01T00:00:00Z"}', datetime.datetime(2001, 1, 1)),
        (datetime.datetime(2000, 1, 1), '"2001-01-01"', FAILED),
    ],
)
def test_an_answer_of_another_type_fails(value, answer, expected):
    masker = command(f"print('{{\"values\": [{answer}]}}', flush=True)")
    (result,) = mask(masker, value)
    assert result is expected or same(result, expected)


@pytest.mark.parametrize(
    "body",
    [
        "print('no JSON', flush=True)",
        "print('[1]', flush=True)",
        "print('{}', flush=True)",
        "print('{\"values\": 5}', flush=True)",
        'print(\'{"values": ["x"]}\', flush=True)',
        "print('', flush=True)",
        'print(\'{"values": ["x", "y"]}\', end=\'\', flush=True); os._exit(0)',
        "sys.stdout.buffer.write(b'\\xff\\xfe\\n'); sys.stdout.flush()",
        'print(\'{"values": [{"$date": "soon"}, 1]}\', flush=True)',
        "print('x' * 3_000_000, flush=True)",
        "os._exit(3)",
        "raise SystemExit(values[0])",
    ],
)
def test_no_sound_answer_fails_the_column_and_the_next_is_asked_anew(body, capfd, tmp_path):
    once = tmp_path / "once"
    masker = command(
        f"first = not os.path.exists({str(once)!r}); open({str(once)!r}, 'w').close()\n"
        f"    if first: {body}\n"
        f"    else: {REVERSE}"
    )
    assert mask(masker, "Ada", "Lovelace") == [FAILED, FAILED]
    assert mask(masker, "Ada", "Lovelace") == ["adA!", "ecalevoL!"]
    assert capfd.readouterr() == ("", "")


def test_an_answer_that_takes_too_long_is_not_waited_for():
    masker = command("time.sleep(60)", timeout=0.2)
    assert mask(masker, "Ada") == [FAILED]
    assert not [one for one in psutil.Process().children() if LOOP[:20] in " ".join(one.cmdline())]


def test_the_fifth_failure_in_a_row_ends_the_run():
    masker = command("os._exit(1)")
    for _ in range(4):
        assert mask(masker, "Ada") == [FAILED]
    with pytest.raises(StoreError, match="no sound answer 5 times") as raised:
        mask(masker, "Ada")
    assert "Ada" not in str(raised.value)
    assert raised.value.__context__ is None


def test_a_good_answer_forgives_the_failures_before_it(tmp_path):
    masker = command(f"if values[0] == 'bad': os._exit(1)\n    {REVERSE}")
    for _ in range(3):
        assert [mask(masker, one)[0] for one in ("bad", "bad", "bad", "bad", "good")] == [FAILED] * 4 + [
            "doog!"
        ]


def test_a_program_that_is_gone_by_then_ends_the_run(tmp_path):
    program = tmp_path / ("program.bat" if os.name == "nt" else "program")
    program.write_text("#!/no/such/interpreter\n")
    program.chmod(0o700)
    masker = Command({"command": [str(program)]})
    program.unlink()
    with pytest.raises(StoreError, match="does not start"):
        mask(masker, "Ada")


def test_no_such_program():
    with pytest.raises(ValueError, match="there is no program no-such-program-anywhere"):
        Command({"command": ["no-such-program-anywhere"]})


def test_no_key_and_no_address_are_handed_down(monkeypatch):
    monkeypatch.setenv("PHIMASK_KEY", "secret")
    monkeypatch.setenv("MODEL_URL", "mine")
    body = "values = [os.environ.get(v, 'none') for v in values]; " + ANSWER
    assert mask(command(body), "PHIMASK_KEY", "MODEL_URL") == ["none", "none"]
    assert mask(command(body, environment=["MODEL_URL"]), "PHIMASK_KEY", "MODEL_URL") == ["none", "mine"]
    assert mask(command(body), "PATH") == [os.environ["PATH"]]


def test_large_columns_and_long_values_fit_through_the_pipes():
    masker = command(REVERSE)
    values = [f"value {number}" for number in range(20_000)] + ["x" * 10_000_000]
    results = mask(masker, *values)
    assert results == [value[::-1] + "!" for value in values]


def test_what_the_program_says_on_stderr_is_shown_to_nobody(capfd):
    assert mask(command("sys.stderr.write(values[0] * 100_000); " + REVERSE), "Ada") == ["adA!"]
    assert capfd.readouterr() == ("", "")


def test_the_program_ends_with_the_interpreter(tmp_path):
    loop = LOOP.replace("{0}", "values = [str(os.getpid())]; " + ANSWER)
    script = f"""
import sys
from phimask import Column
from phimask_plugins.maskers import Command
masker = Command({{"command": [sys.executable, "-I", "-S", "-c", {loop!r}]}})
print(masker.mask(Column("p", ["x"], []))[0])
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert not psutil.pid_exists(int(done.stdout))


SLEEPER = (
    "import subprocess, sys; "
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); values = [str(p.pid)]; "
)


def test_a_process_s_family_is_known_where_there_are_no_groups_to_end():
    masker = command(SLEEPER + ANSWER)
    (pid,) = mask(masker, "x")
    parent = psutil.Process(int(pid)).parent()
    assert parent is not None
    assert {one.pid for one in line_process._family(parent.pid)} >= {parent.pid, int(pid)}
    masker._process.close()
    assert psutil.wait_procs([parent], timeout=20)[1] == []
    assert line_process._family(parent.pid) == []


def test_its_own_children_go_with_it(tmp_path):
    masker = command(SLEEPER + ANSWER)
    (pid,) = mask(masker, "x")
    assert psutil.pid_exists(int(pid))
    sleeper = psutil.Process(int(pid))
    del masker
    gc.collect()
    assert psutil.wait_procs([sleeper], timeout=20)[1] == []


def test_a_relative_program_is_found_where_it_is(tmp_path, monkeypatch):
    if os.name == "nt":
        pytest.skip("a script needs an interpreter's name in its first line")
    Path(tmp_path, "program").write_text(f"#!{sys.executable}\n" + LOOP.replace("{0}", REVERSE))
    Path(tmp_path, "program").chmod(0o700)
    monkeypatch.chdir(tmp_path)
    assert mask(Command({"command": ["./program"]}), "Ada") == ["adA!"]
