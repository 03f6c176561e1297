"""How a run ends for whoever started it: its report shown, written where that was asked for, and its exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pymongo.errors import PyMongoError

from phimask.cli.show import answer, say
from phimask.config.units import parse_duration
from phimask.engine.run import Outcome
from phimask.errors import PhimaskError, UsageError
from phimask.ledger.opening import Ledger, asking
from phimask.ledger.series import RunSeries
from phimask.log import close_log, configure_log
from phimask.observing.series import Note, Point, Recorded

if TYPE_CHECKING:
    from phimask.observing.signing import SigningKey


@dataclass(frozen=True, slots=True)
class Ending:
    """What is done with a run's outcome."""

    report_file: Path | None
    html_file: Path | None
    manifest_file: Path | None
    key: SigningKey | None
    log_file: Path | None
    as_json: bool
    most_seconds: float | None

    def recorded(self, ledger: Ledger, run: str) -> Recorded:
        """The run over time, where the page is to show it; a ledger that does not answer costs the plots, no more."""
        if self.html_file is None:
            return Recorded()
        try:
            return recorded(ledger, run)
        except (PyMongoError, PhimaskError):
            say("the ledger does not answer: the page has no plots over time")
            return Recorded()

    def __call__(self, outcome: Outcome, over_time: Recorded) -> int:
        """The exit code, where it is 0; any other comes as the outcome's error."""
        # What draws tables, and what signs, is loaded when it is needed: a run begins sooner without.
        from phimask.cli.console import PersonConsole  # noqa: PLC0415
        from phimask.observing.text import render  # noqa: PLC0415

        report = outcome.report
        render(report, PersonConsole())
        if self.as_json:
            answer(report)
        made: list[tuple[str, Path | None, Callable[[], str]]] = [
            ("report", self.report_file, lambda: json.dumps(report, indent=2) + "\n"),
            ("page", self.html_file, lambda: _page(report, over_time)),
            ("manifest", self.manifest_file, lambda: _manifest(report, self.key)),
        ]
        failed = []
        for what, path, text in made:
            if path is None:
                continue
            try:
                write(path, text())
                say(f"{what}: {path}")
            except OSError as error:
                failed.append(f"its {what} cannot be written to {path}: {error.strerror}")
        if self.log_file is not None:
            say(f"log: {self.log_file}")
        if failed:
            raise PhimaskError(f"the run is over ({report['status']}), but {'; '.join(failed)}")
        if outcome.error is not None:
            raise outcome.error
        return 0


@contextmanager
def run_ending(
    run_id: str,
    *,
    report_file: Path | None,
    html_file: Path | None,
    manifest_file: Path | None,
    log_dir: Path | None,
    max_duration: str | None,
    as_json: bool,
) -> Iterator[Ending]:
    """The log is open meanwhile. Raises UsageError for a file that could not be written, and for a manifest
    without a key that signs."""
    refuse_nowhere({"--report": report_file, "--html": html_file, "--manifest": manifest_file})
    key = None if manifest_file is None else _signing_key()
    most_seconds = None
    if max_duration is not None:
        try:
            most_seconds = parse_duration(max_duration)
        except ValueError as error:
            raise UsageError(f"--max-duration: {error}") from None
    log_file = configure_log(log_dir, run=run_id, quiet=True)  # observers and the report tell people
    try:
        yield Ending(report_file, html_file, manifest_file, key, log_file, as_json, most_seconds)
    finally:
        close_log()


def _signing_key() -> SigningKey:
    from phimask.cli.proof import signing_key  # noqa: PLC0415  (as above)

    return signing_key()


def _manifest(report: Mapping[str, Any], key: SigningKey | None) -> str:
    from phimask.cli.proof import manifest_text  # noqa: PLC0415  (as above)

    return manifest_text(report, key or _signing_key())


def refuse_nowhere(files: dict[str, Path | None]) -> None:
    """Raises UsageError for files, by flag, whose folder is not there, which may not be written, or which are one."""
    seen: dict[Path, str] = {}
    for flag, file in files.items():
        if file is None:
            continue
        real = Path(os.path.realpath(file))
        if not (_is_there(real.parent, f"{flag} {file}") and real.parent.is_dir()):
            raise UsageError(f"{flag} {file}: there is no such directory; make it first")
        if not os.access(real if _is_there(real, f"{flag} {file}") else real.parent, os.W_OK):
            raise UsageError(f"{flag} {file}: it may not be written; name a file that may be")
        other = seen.setdefault(real, flag)
        if other != flag:
            raise UsageError(f"{other} and {flag} name the same file, {file}; give each its own")


def _is_there(path: Path, what: str) -> bool:
    """Raises UsageError for a name that no file can have, and for one in a folder that may not be looked into."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "no file can have this name"
        raise UsageError(f"{what}: it may not be written ({why}); name a file that may be") from None
    return True


def _page(report: Mapping[str, Any], over_time: Recorded) -> str:
    from phimask.observing.html import page  # noqa: PLC0415  (as above)

    return page(report, over_time)


def recorded(ledger: Ledger, run: str) -> Recorded:
    """A run over time, as the ledger keeps it. Raises PreflightError where that does not answer."""
    series = RunSeries(ledger, run)
    with asking(ledger):
        return Recorded(
            [(one.epoch, one.kept) for one in series.points() if isinstance(one.kept, Point)],
            [(one.at.isoformat(), one.kept) for one in series.notes() if isinstance(one.kept, Note)],
        )


def write(path: Path, text: str) -> None:
    """Raises OSError."""
    path.write_text(text, encoding="utf-8", newline="\n")
