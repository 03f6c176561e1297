from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger
from pymongo import MongoClient

from own_errors import own
from phimask.errors import MaskingError, StoreError, UsageError
from phimask.log import close_log, configure_log, describe_error, forward_log, log_file, relay, scrub

CANARY = "Canary-Zylinski-900-55-0100"


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    names = ["phimask", "pymongo", "pymongo.command"]
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    close_log()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def logged(tmp_path: Path) -> Callable[[], str]:
    """A log in use; called, it gives what has been written so far."""
    path = configure_log(tmp_path, run="r1")
    assert path is not None
    return lambda: path.read_text("utf-8")


def test_everything_goes_into_one_file_named_for_the_run(tmp_path: Path) -> None:
    path = configure_log(tmp_path / "new" / "logs", run="20260729-a/b")
    logging.getLogger("phimask.engine").info("batch %d", 7)
    logging.getLogger("phimask_plugins.observers").warning("slow")
    logging.getLogger("pymongo.client").warning("heard of a new primary")
    assert path == tmp_path / "new" / "logs" / "phimask-20260729-a_b.log"
    lines = path.read_text("utf-8").splitlines()
    assert [re.sub(r"^\S+Z (\w+) +\[\d+\] (\S+):\d+ ", r"\1 \2 ", line) for line in lines] == [
        "INFO phimask.engine batch 7",
        "WARNING phimask_plugins.observers slow",
        "WARNING pymongo.client heard of a new primary",
    ]


def test_without_a_run_the_file_is_named_for_the_time(tmp_path: Path) -> None:
    path = configure_log(tmp_path)
    assert path is not None
    assert path.name.startswith("phimask-2")
    assert path.suffix == ".log"


def test_without_a_directory_there_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert configure_log(None) is None
    logging.getLogger("phimask").error("something")
    assert list(tmp_path.iterdir()) == []


def test_configuring_again_writes_each_record_once_and_goes_on_with_the_file(tmp_path: Path) -> None:
    configure_log(tmp_path, run="r")
    logging.getLogger("phimask").info("first")
    path = configure_log(tmp_path, run="r")
    logging.getLogger("phimask").info("second")
    assert path is not None
    assert [line.rsplit(" ", 1)[1] for line in path.read_text("utf-8").splitlines()] == ["first", "second"]


def test_json_lines_are_json_objects(tmp_path: Path) -> None:
    path = configure_log(tmp_path, run="r", json_lines=True)
    logging.getLogger("phimask.x").info("two\nlines")
    assert path is not None
    (line,) = path.read_text("utf-8").splitlines()
    record = json.loads(line)
    assert record["source"] == "phimask.x"
    assert record["level"] == "INFO"
    assert record["message"] == "two | lines"
    assert record["time"].endswith("Z")


@pytest.mark.parametrize("logger_name", ["phimask.engine", "pymongo.client", "thirdparty.thing"])
def test_an_exceptions_message_stays_out_through_standard_logging(
    logged: Callable[[], str], capsys: pytest.CaptureFixture[str], logger_name: str
) -> None:
    original = CANARY
    try:
        raise ValueError(f"cannot parse {original!r}")
    except ValueError:
        logging.getLogger(logger_name).exception("a batch failed")
    text = logged() + capsys.readouterr().err
    assert "ValueError at test_log:" in text
    assert CANARY not in text
    assert "Traceback" not in text


def test_an_exceptions_message_and_variables_stay_out_through_loguru(
    logged: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    @logger.catch
    def mask(value: str) -> int:
        return int(value)

    mask(CANARY)
    text = logged() + capsys.readouterr().err
    assert "ValueError at test_log:" in text
    assert CANARY not in text


def test_the_causes_are_named_and_their_messages_are_not() -> None:
    def fail() -> None:
        try:
            raise KeyError(CANARY)
        except KeyError as error:
            raise RuntimeError(CANARY) from error

    with pytest.raises(RuntimeError) as raised:
        fail()
    told = describe_error(raised.value)
    assert told.startswith("RuntimeError at test_log:")
    assert ", because of KeyError at test_log:" in told
    assert CANARY not in told


def test_a_cause_that_was_suppressed_is_not_named() -> None:
    def fail() -> None:
        try:
            raise KeyError(CANARY)
        except KeyError:
            raise own(StoreError, "code 11000 (DuplicateKey)") from None

    with pytest.raises(StoreError) as raised:
        fail()
    assert "DuplicateKey" in describe_error(raised.value)
    assert "KeyError" not in describe_error(raised.value)


def test_an_exception_that_is_its_own_cause_ends() -> None:
    error = ValueError(CANARY)
    error.__cause__ = error
    assert describe_error(error).count("ValueError") == 5


def test_phimasks_own_errors_keep_their_message(logged: Callable[[], str]) -> None:
    try:
        raise own(MaskingError, "Patient.SSN", "string")
    except MaskingError:
        logging.getLogger("phimask.engine").exception("stopped")
    assert "a string at Patient.SSN could not be masked" in logged()


def test_text_of_foreign_code_is_withheld(logged: Callable[[], str]) -> None:
    logging.getLogger("guest_masker").warning("bad value %s", CANARY)
    logger.warning("bad value {}", CANARY)
    logging.getLogger("phimaskish").warning(CANARY)
    text = logged()
    assert CANARY not in text
    assert text.count("text withheld") == 3
    assert "guest_masker:" in text


def test_pymongos_debug_records_never_get_in(
    logged: Callable[[], str],
    capsys: pytest.CaptureFixture[str],
    client: MongoClient[dict[str, object]],
    database: object,
) -> None:
    command_log = logging.getLogger("pymongo.command")
    command_log.setLevel(logging.DEBUG)
    seen: list[str] = []

    class Witness(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    witness = Witness()
    command_log.addHandler(witness)
    try:
        database.people.insert_one({"name": CANARY})  # type: ignore[attr-defined]
    finally:
        command_log.removeHandler(witness)
    assert any(CANARY in text for text in seen)
    assert CANARY not in logged() + capsys.readouterr().err


def test_pymongos_loggers_are_raised_to_info(tmp_path: Path) -> None:
    command_log = logging.getLogger("pymongo.command")
    command_log.setLevel(logging.DEBUG)
    configure_log(tmp_path, run="r")
    assert not command_log.isEnabledFor(logging.DEBUG)
    assert command_log.isEnabledFor(logging.INFO)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://nora:pa55word@db.example.com:27017/ehr",
        "mongodb+srv://nora:pa55word@db.example.com",
        "MongoDB://nora:pa%40ss/pa55word@db.example.com",
        "mongodb://nora:p@ss@pa55word@db.example.com",
        "mongodb://db.example.com/?tlsCertificateKeyFilePassword=pa55word&tls=true",
        "mongodb://db.example.com/?authMechanismProperties=AWS_SESSION_TOKEN:pa55word",
    ],
)
def test_credentials_are_scrubbed(logged: Callable[[], str], uri: str) -> None:
    logging.getLogger("phimask.store").info("connecting to %s now", uri)
    logging.getLogger("phimask.store").info("%s and %s", "x" * 7_950, uri)
    text = logged()
    assert "pa55word" not in text
    assert "db.example.com" in text
    assert "now" in text


user = st.text("abcdefgh0123456789%:/?#[]@!$&'()*+,;=-._~", min_size=1, max_size=30)


@given(user, user)
def test_no_password_survives_the_scrubber(name: str, password: str) -> None:
    text = scrub(f"at mongodb://{name}:{password}@host.example.com/db done")
    assert text == "at mongodb://***@host.example.com/db done"


def test_addresses_without_credentials_stay() -> None:
    assert scrub("mongodb://a.example.com:27017,b.example.com/db") == (
        "mongodb://a.example.com:27017,b.example.com/db"
    )


def only_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a record from pytest's handlers, some of which cannot take what is wrong with it."""
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if type(handler).__module__ == "phimask.log"]
    monkeypatch.setattr(root, "handlers", ours)


def test_no_record_forges_a_line_or_steers_a_terminal(
    logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_ours(monkeypatch)
    logging.getLogger("phimask").info("harmless\r\n2026-01-01 ERROR forged\x1b[2J\u2028\ud800")
    text = logged()
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text


def test_arguments_that_do_not_fit_are_not_printed(
    logged: Callable[[], str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_ours(monkeypatch)
    logging.getLogger("phimask").warning("%d documents", CANARY)
    assert "could not be made safe" in logged()
    captured = capsys.readouterr()
    assert CANARY not in captured.err + captured.out + logged()


def test_an_exception_without_a_text_does_not_end_the_run(logged: Callable[[], str]) -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError(CANARY)

    try:
        raise own(StoreError, Unspeakable())
    except StoreError:
        logging.getLogger("phimask").exception("oh")
    assert "could not be made safe" in logged()


def test_warnings_reach_stderr_and_information_does_not(
    logged: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("phimask").info("quietly")
    logging.getLogger("phimask").warning("look here")
    assert capsys.readouterr().err == "phimask: warning: look here\n"


def test_a_live_display_has_stderr_to_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_log(tmp_path, run="r", quiet=True)
    logging.getLogger("phimask").error("look here")
    assert capsys.readouterr().err == ""


def test_without_stderr_nothing_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = configure_log(tmp_path, run="r")
    assert path is not None
    monkeypatch.setattr(sys, "stderr", None)
    logging.getLogger("phimask").error("look here")
    assert "look here" in path.read_text("utf-8")


def test_a_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    logs = in_the_way / "logs"
    with pytest.raises(
        UsageError, match=r"phimask-r\.log: .+; name a directory that can be written to"
    ) as told:
        configure_log(logs, run="r", quiet=True)
    assert str(logs) in str(told.value)
    assert log_file() is None


@pytest.mark.parametrize("trouble", [errno.EACCES, errno.EROFS])
def test_a_directory_that_takes_no_file_is_refused(
    trouble: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise OSError(trouble, os.strerror(trouble))

    monkeypatch.setattr(os, "open", refuse)  # which all that makes files goes by, as no test may as root
    with pytest.raises(UsageError, match=os.strerror(trouble)):
        configure_log(tmp_path, run="r", quiet=True)


def test_a_disk_that_is_full_already_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phimask.log.TemporaryFile", lambda **options: FullDisk())
    with pytest.raises(UsageError, match=r"no space; .+ on a disk with room"):
        configure_log(tmp_path, run="r", quiet=True)
    assert list(tmp_path.iterdir()) == []


class FullDisk:
    """Takes bytes only while there is room."""

    def __init__(self) -> None:
        self.full = True
        self.written = b""

    def write(self, data: bytes) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, "no space")
        self.written += data
        return len(data)

    def close(self) -> None:
        raise OSError(errno.ENOSPC, "no space")

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None: ...


def test_a_full_disk_costs_lines_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk()
    monkeypatch.setattr(Path, "open", lambda *arguments, **options: disk)
    configure_log(tmp_path, run="r")
    for number in range(3):
        logging.getLogger("phimask").info("line %d", number)
    assert capsys.readouterr().err.count("cannot be written") == 1
    disk.full = False
    logging.getLogger("phimask").info("line 3")
    logging.getLogger("phimask").info("line 4")
    disk.full = True
    logging.getLogger("phimask").info("line 5")
    assert "cannot be written" not in capsys.readouterr().err
    lines = disk.written.decode().splitlines()
    assert lines[0] == ""
    assert lines[1].endswith("3 lines before this one were lost")
    assert lines[2].endswith("line 3")
    assert len(lines) == 4
    close_log()


def test_a_worker_s_log_is_told_and_goes_nowhere_else(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, str, int, str]] = []
    forward_log(lambda *record: told.append(record))
    logging.getLogger("phimask.engine").warning("mongodb://ann:secret@host {x}")
    logging.getLogger("third.party").error(CANARY)
    logging.getLogger("phimask.engine").debug("too much")
    logging.getLogger("phimask").log(25, "between two levels")
    assert [(level, source, text) for level, source, _, text in told] == [
        ("WARNING", "phimask.engine", "mongodb://***@host {x}"),
        ("ERROR", "third.party", "(text withheld: it may hold values)"),
        ("Level 25", "phimask", "between two levels"),
    ]
    assert all(line > 0 for _, _, line, _ in told)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_what_a_worker_told_stands_in_the_run_s_log_under_its_name(logged: Callable[[], str]) -> None:
    relay("w7", "WARNING", "third.party", 12, "it failed: KeyError at third.party:12 {x}")
    relay("w7", "Level 25", "phimask.engine", 3, "two\nlines")
    first, second = logged().splitlines()
    assert first.endswith("WARNING  [w7] third.party:12 it failed: KeyError at third.party:12 {x}")
    assert second.endswith("INFO     [w7] phimask.engine:3 two | lines")


def test_json_lines_name_the_worker(tmp_path: Path) -> None:
    path = configure_log(tmp_path, run="r", json_lines=True)
    relay("w7", "INFO", "phimask.engine", 3, "done")
    logging.getLogger("phimask").info("here")
    assert path is not None
    first, second = map(json.loads, path.read_text("utf-8").splitlines())
    assert (first["worker"], first["source"], first["line"]) == ("w7", "phimask.engine", 3)
    assert "worker" not in second


def test_a_record_cannot_claim_to_be_safe(logged: Callable[[], str]) -> None:
    logger.bind(source="third.party", relayed=True).info(CANARY)
    assert CANARY not in logged()
