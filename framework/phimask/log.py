"""The log: one file a run, warnings on stderr, and nothing in either that could hold a value.

Everything logged takes one way, whether it comes through loguru, the standard library's logging or its warnings, and on
this way it loses what may not leave: credentials in URIs, and every exception's own message and traceback, of
which only the type and the place stay (`KeyError at phimask.engine.run:120`; errors that phimask made hold no value
and keep their message). Of a record from code that is neither phimask's nor PyMongo's, only logger, place and level
are kept, since nobody knows what its text holds; a plugin that has something to say logs to a logger below
`phimask.plugins`.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

from loguru import logger

from phimask.errors import WITHHELD, PhimaskError, UsageError

if TYPE_CHECKING:
    from loguru import Message, Record

_TRUSTED: Final = ("phimask", "phimask_plugins", "pymongo")
_UNPREPARED: Final = "(text lost: it could not be made safe)"
_LONGEST: Final = 8_000
"""Characters of one message: beyond that it is no message, but data."""
_LEAST_ROOM: Final = 64 * 1024
"""Bytes that a log's disk has to take when a run begins."""

_RELAYED: Final = object()
"""Marks a record that was made safe in the process that it comes from."""

_OPEN: Final[list[Path]] = []
"""The log's file, while there is one."""

_CREDENTIALS: Final = re.compile(r"(?<=://)\S*@")
_SECRET_OPTIONS: Final = re.compile(r"(?i)((?:password|passwd|secret|token)=|AWS_SESSION_TOKEN:)[^\s&,;]+")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure_log(
    directory: Path | None, *, run: str | None = None, json_lines: bool = False, quiet: bool = False
) -> Path | None:
    """Send all logs at INFO and above to one file, and those at WARNING and above to stderr.

    The file is `phimask-RUN.log` in `directory` (made if it is not there), or, without a `run`, named for the time;
    a run's further processes write to the same file. None for `directory`: no file.
    `json_lines`: one JSON object a line. `quiet`: nothing on stderr, because a live display has it.

    Returns the file's path, or None where there is none. Raises UsageError for a directory that cannot be written to:
    whoever asked for a log learns it before the run, not after. Calling it again begins anew; `close_log` ends it.
    """
    close_log()
    logger.configure(patcher=_make_safe)
    if not quiet:
        _add(_Stderr(), "WARNING")
    path: Path | None = None
    if directory is not None:
        path = directory / f"phimask-{_file_part(run)}.log"
        _add(_opened(path, json_lines), "INFO")
        _OPEN.append(path)
    _intercept_standard_logging()
    return path


def _opened(path: Path, json_lines: bool) -> _LogFile:
    directory = path.parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=directory, buffering=0) as room:  # an empty file fits on a full disk, too
            if room.write(bytes(_LEAST_ROOM)) < _LEAST_ROOM:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return _LogFile(path, json_lines)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError(
            f"no log can be written to {path}: {why}; name a directory that can be written to, on a disk with room"
        ) from None


def forward_log(tell: Callable[[str, str, int, str], None]) -> None:
    """In a worker process: send all logs at INFO and above to `tell` (level, source, line, message) and nowhere else.

    What it is told is safe to show. It is called by whichever thread logs, and may not log itself.
    """

    def forward(message: Message) -> None:
        record = message.record
        extra = record["extra"]
        tell(record["level"].name, extra["source"], extra["line"], record["message"])

    close_log()
    logger.configure(patcher=_make_safe)
    _add(forward, "INFO")
    _intercept_standard_logging()


def relay(worker: str, level: str, source: str, line: int, message: str) -> None:
    """Log what a worker's `forward_log` told, under the worker's name."""
    logger.bind(source=source, line=line, worker=worker, relayed=_RELAYED).log(_known(level), "{}", message)


def log_file() -> Path | None:
    """The file that the log of this process is written to, as it was named; None: none is."""
    return _OPEN[0] if _OPEN else None


def close_log() -> None:
    """End logging and close the file. Calling it twice does no harm."""
    logger.remove()
    _OPEN.clear()
    logging.captureWarnings(False)
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Intercept)]:
        root.removeHandler(handler)


def scrub(text: str) -> str:
    """The text without credentials: what stands between `://` and `@`, and passwords and tokens in options."""
    return _SECRET_OPTIONS.sub(r"\1***", _CREDENTIALS.sub("***@", text))


def describe_error(error: BaseException) -> str:
    """What may be told of an exception: type and place of it and of its causes, and the message if it is phimask's."""
    told: list[str] = []
    one: BaseException | None = error
    while one is not None and len(told) < 5:
        told.append(_describe_one(one))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return ", because of ".join(told)


def _describe_one(error: BaseException) -> str:
    if isinstance(error, PhimaskError) and error.foreign is not None:
        return str(error)
    text = type(error).__name__
    trace = error.__traceback__
    if trace is not None:
        while trace.tb_next is not None:
            trace = trace.tb_next
        text += f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
    if isinstance(error, PhimaskError):
        text += f": {error}"
    return scrub(text)


def _make_safe(record: Record) -> None:
    """Take out of a loguru record, before any sink sees it, what a sink must not get."""
    failure = record["exception"]
    record["exception"] = None
    try:
        source = record["extra"].setdefault("source", record["name"] or "?")
        record["extra"].setdefault("line", record["line"])
        trusted = record["extra"].pop("relayed", None) is _RELAYED or any(
            source == name or source.startswith(f"{name}.") for name in _TRUSTED
        )
        # Scrubbed before it is cut: half a URI no longer shows where its password ends.
        message = scrub(record["message"])[:_LONGEST] if trusted else WITHHELD
        if failure is not None and failure.value is not None:
            message = f"{message}: {describe_error(failure.value)}"
        record["message"] = _CONTROLS.sub(_visible, message)
    except Exception:  # noqa: BLE001  (an exception whose __str__ raises, say: the log must not end the run)
        record["message"] = _UNPREPARED


def _visible(control: re.Match[str]) -> str:
    # One record is one line, and no terminal is steered by what is logged.
    return " | " if control[0] == "\n" else control[0].encode("unicode_escape").decode()


class _Intercept(logging.Handler):
    """Hands the standard library's records to loguru. Its level keeps PyMongo's DEBUG records, which hold
    documents, out whatever levels their loggers are set to."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  (Handler.handleError would print the arguments to stderr)
            text = _UNPREPARED
        failure = record.exc_info[1] if record.exc_info else None
        level = _known(record.levelname, record.levelno)
        logger.bind(source=record.name, line=record.lineno).opt(exception=failure).log(level, text)


def _known(name: str, otherwise: str | int = "INFO") -> str | int:
    """The level, or another where loguru has none of that name."""
    try:
        logger.level(name)
    except ValueError:
        return otherwise
    return name


def _intercept_standard_logging() -> None:
    logging.getLogger().addHandler(_Intercept())
    logging.captureWarnings(True)
    logging.getLogger("phimask").setLevel(logging.INFO)
    logging.getLogger("pymongo").setLevel(logging.INFO)
    # A child logger's own level would count more than its parent's; PyMongo builds its records only if it is DEBUG.
    for name in list(logging.root.manager.loggerDict):
        child = logging.getLogger(name)
        if name.startswith("pymongo.") and logging.NOTSET < child.level < logging.INFO:
            child.setLevel(logging.INFO)


def _add(sink: _LogFile | _Stderr | Callable[[Message], None], level: str) -> None:
    # A queue (enqueue) would need a thread or process of its own, and lose the last lines of one that is killed.
    logger.add(sink, level=level, format=_message, backtrace=False, diagnose=False, catch=True, enqueue=False)


def _message(record: Record) -> str:  # noqa: ARG001  (a callable, because loguru adds tracebacks to a string)
    return "{message}"


class _LogFile:
    """Appends one line a record. Unbuffered and in append mode, so that several processes share it line by line.

    A disk that fills up costs lines, never the run: the first loss is told on stderr, and each in the file as soon as
    it takes lines again.
    """

    def __init__(self, path: Path, json_lines: bool) -> None:
        self._file = path.open("ab", buffering=0)
        self._path = path
        self._line = _json_line if json_lines else _text_line
        self._lost = 0
        self._told = False

    def write(self, message: Message) -> None:
        """Never raises: it is called from wherever something is logged."""
        record = message.record
        line = self._line(record, record["message"])
        if self._lost:
            line = "\n" + self._line(record, f"{self._lost} lines before this one were lost") + line
        data = line.encode("utf-8", "backslashreplace")
        try:
            whole = self._file.write(data) == len(data)
        except (OSError, ValueError):
            whole = False
        if whole:
            self._lost = 0
            return
        self._lost += 1
        if not self._told:
            self._told = True
            _tell(f"the log {self._path} cannot be written; the run goes on without it")

    def stop(self) -> None:
        """Close the file; loguru calls it."""
        with suppress(OSError):
            self._file.close()


def _text_line(record: Record, message: str) -> str:
    extra = record["extra"]
    return (
        f"{_utc(record['time'])} {record['level'].name:<8} [{extra.get('worker', record['process'].id)}] "
        f"{extra['source']}:{extra['line']} {message}\n"
    )


def _json_line(record: Record, message: str) -> str:
    extra = record["extra"]
    return (
        json.dumps(
            {
                "time": _utc(record["time"]),
                "level": record["level"].name,
                "process": record["process"].id,
                **({"worker": extra["worker"]} if "worker" in extra else {}),
                "source": extra["source"],
                "line": extra["line"],
                "message": message,
            }
        )
        + "\n"
    )


class _Stderr:
    """Warnings, for a person to read."""

    def write(self, message: Message) -> None:
        _tell(f"{message.record['level'].name.lower()}: {message.record['message']}")


def _tell(text: str) -> None:
    """One line on stderr, whatever it can encode; nothing where there is none (pythonw) or it is closed."""
    stream = sys.stderr
    if stream is None:
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    with suppress(OSError, ValueError):
        stream.write(f"phimask: {text.encode(encoding, 'backslashreplace').decode(encoding)}\n")
        stream.flush()


def _utc(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _file_part(run: str | None) -> str:
    if run is None:
        return datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return re.sub(r"[^A-Za-z0-9._-]", "_", run)
