"""Where profiles, collection files and schemas lie: the user's own first, then the shipped ones."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

from phimask.config.model import Origin
from phimask.config.wording import closest, fault_at, listed, quoted
from phimask.errors import ConfigError, Fault

DataKind = Literal["profiles", "schemas"]
FileKind = Literal["profile", "collection"]

_PACKAGE: Final = Path(__file__).resolve().parents[1]
_CHECKOUT: Final = Path(__file__).resolve().parents[3]
_SUFFIXES: Final = (".yaml", ".yml")
_WORDS: Final = {"profile": "profile", "collection": "collection file"}


def data_dir(kind: DataKind) -> Path:
    """The folder of the shipped files: in the installed package, or in a checkout beside `framework/`."""
    installed = _PACKAGE / kind
    return installed if installed.is_dir() else _CHECKOUT / kind


@cache
def shipped_schema(kind: str) -> Mapping[str, Any]:
    """The shipped JSON Schema of a kind: profile, collection, project, report, manifest or plan. Not to be changed."""
    schema: Mapping[str, Any] = json.loads(
        (data_dir("schemas") / f"{kind}.schema.json").read_text(encoding="utf-8")
    )
    return schema


def shown(path: Path) -> str:
    """What messages call a file: relative to the current folder where it lies below it."""
    try:
        # `resolve` raises of links in a circle, in a way of its own.
        return Path(os.path.realpath(path)).relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return path.as_posix()


def first_own(places: Sequence[Origin]) -> Origin:
    """Of places that contradict each other, the first that is in no shipped file: there it can be mended."""
    not_own = {shown(path) for path in shipped("profile").values()}
    return next((one for one in places if one.file not in not_own), places[0])


def shipped(kind: FileKind) -> dict[str, Path]:
    """The names of the files that come with phimask, with their paths."""
    return _named(_shipped_dir(kind))


def available(kind: FileKind, project_dir: Path) -> dict[str, Path]:
    """Every name that can be used in this project, with the file it stands for, in alphabetical order."""
    own = _named(project_dir / f"{kind}s")
    return dict(sorted({**shipped(kind), **own}.items()))


def lookup(
    kind: FileKind,
    name: str,
    project_dir: Path,
    *,
    said: Origin | None = None,
    by: Path | None = None,
) -> Path:
    """The file that `name` stands for. Raises ConfigError with every place that was tried.

    A name with a suffix (.yaml, .yml) or a separator is a path: relative to the file `by` that says it, or to the
    current folder where no file does, then to the project. Any other name is looked up in the project, then
    among the shipped; what a shipped file extends is shipped, and a file that extends its own name extends the
    next of that name, so that a project's `production` may extend the shipped one. `said` is where the name stands.
    """
    origin = said or Origin(f"--{kind}", None, "$")
    tried: list[Path] = []
    itself: Path | None = None
    for candidate in _candidates(kind, name, project_dir, by):
        if candidate in tried:
            continue
        if _is_file(candidate):
            if by is None or candidate.resolve() != by.resolve():
                return candidate
            itself = candidate
        tried.append(candidate)
    if itself is not None:
        return itself
    places = ", ".join(dict.fromkeys(shown(path) for path in tried))
    known = list(available(kind, project_dir))
    guess = closest(Path(name).stem, known)
    right = f"did you mean '{guess}'?" if guess else f"there are {listed(known, 'and') or 'none'}"
    wrong = f"there is no {_WORDS[kind]} {quoted(name)} (looked for {places})"
    raise ConfigError([fault_at(origin, wrong, right)])


def _candidates(kind: FileKind, name: str, project_dir: Path, by: Path | None) -> Iterator[Path]:
    if name.endswith(_SUFFIXES) or "/" in name or "\\" in name:
        yield (by.parent if by is not None else Path()) / name
        yield project_dir / name
        return
    if by is None or by.resolve().parent != _shipped_dir(kind):
        yield project_dir / f"{kind}s" / f"{name}.yaml"
        if kind == "profile":
            yield project_dir / f"{name}.yaml"
    yield _shipped_dir(kind) / f"{name}.yaml"


def _shipped_dir(kind: FileKind) -> Path:
    profiles = data_dir("profiles")
    return profiles if kind == "profile" else profiles / "collections"


def _named(folder: Path) -> dict[str, Path]:
    try:
        there = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        wrong = f"the folder cannot be read ({error.strerror})"
        raise ConfigError([Fault(shown(folder), None, "$", wrong, "let this user read it")]) from None
    return {path.stem: path for path in there if path.suffix == ".yaml"}


def _is_file(path: Path) -> bool:
    """One in a folder that may not be looked into counts: whoever reads it is told, and no other takes its place."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except PermissionError:
        return True
    except (OSError, ValueError):  # a name that is too long, for one
        return False
