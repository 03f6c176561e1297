"""Writes docs/reference from the code, so that the reference cannot say what the code does not do.

python docs/generate.py            rewrites the pages
python docs/generate.py --check    says which pages are out of date, and writes nothing
"""

from __future__ import annotations

import ast
import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click
from generator import maskers
from generator.markdown import page, schema_rows, shown, table

from phimask import errors, log
from phimask.cli.commands import COMMANDS
from phimask.cli.main import cli
from phimask.config.data import shipped, shipped_schema
from phimask.config.profile import load_profile
from phimask.engine import control
from phimask.planning.hazard_kinds import KINDS as HAZARD_KINDS
from phimask.plugins import events, hookspecs, interfaces, values
from phimask.plugins.class_check import KINDS
from phimask.plugins.interfaces import Detector, Validator
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import Registry
from phimask_plugins.observers import figures
from phimask_plugins.observers.figures import BOUNDS, METRICS
from phimask_plugins.observers.opentelemetry import otlp_name

REFERENCE: Final = Path(__file__).resolve().parent / "reference"
_NOTE: Final = "<!-- Written by docs/generate.py from the code. Change the code, then run it again. -->"
_AS_IT_IS: Final = "<!-- fmt: off -->"
_PLURALS: Final = {
    "partitioner": "Partitioners",
    "batch_sizer": "Batch sizers",
    "masker": "Maskers",
    "memory_governor": "Memory governors",
    "validator": "Validators",
    "executor": "Executors",
    "detector": "Detectors",
    "observer": "Observers",
}
_DURATIONS: Final = frozenset({"target", "longest", "slow_batch", "cool_down", "max_batch", "initial"})
_SIZES: Final = frozenset({"target_size", "bytes", "soft", "hard", "memory", "max_memory"})
_ENVIRONMENT: Final = (
    ("PHIMASK_URI", "The deployment, where neither `--uri` nor phimask.yaml names one. May hold a password."),
    ("PHIMASK_TARGET_URI", "The target's deployment, likewise. With it set, masked copies go there."),
    ("PHIMASK_KEY", "The masking key, unless `key:` in phimask.yaml names another place."),
    ("PHIMASK_SIGNING_KEY", "The key that signs manifests, unless `signing_key:` names another place."),
    ("PHIMASK_MONGOD", "The mongod executable for runs on sample documents."),
    ("PHIMASK_DISABLED_PLUGINS", "Plugins that are not even imported: names with commas between them."),
)


def pages() -> dict[str, str]:
    """The text of every page of the reference, by file name."""
    registry = builtins()
    return {
        "command-line.md": command_line(),
        "components.md": components(registry),
        "configuration.md": configuration(registry),
        "events.md": eventspage(),
        "hazards.md": hazards(),
        "hooks.md": hooks(),
        "metrics.md": metrics(),
        **{f"maskers/{name}": text for name, text in maskers.pages(registry).items()},
        "report.md": report(),
    }


def builtins() -> Registry:
    """A registry; what else is installed on this machine is left out by whoever reads from it."""
    return load_registry()


# The command line


def command_line() -> str:
    """Every command with its flags, the exit codes, the environment."""
    parts = []
    for path, command in _commands(cli, ()):
        usage = command.get_usage(click.Context(command, info_name=" ".join(["phimask", *path])))
        parts.append(f"## `phimask {' '.join(path)}`" if path else "## `phimask`")
        parts.append(f"```text\n{' '.join(usage.split())}\n```")
        parts.append(inspect.cleandoc(command.help or ""))
        rows = list(_parameters(command))
        if rows:
            parts.append(table(("argument or flag", "default", "does"), rows))
    codes = table(("code", "means"), _exit_codes())
    variables = table(("variable", "is"), ((f"`{name}`", text) for name, text in _ENVIRONMENT))
    return page(
        "Command line",
        "`phimask` alone is `phimask run`. What people read goes to stderr; with `--json`, what machines read goes "
        "to stdout. No flag takes a password: set `PHIMASK_URI`.",
        *parts,
        "## Exit codes",
        codes,
        "## Environment variables",
        variables,
    )


def _commands(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        children = command.commands if path else {name: one.command() for name, one in COMMANDS.items()}
        for name, child in children.items():
            yield from _commands(child, (*path, name))


def _parameters(command: click.Command) -> Iterator[tuple[str, str, str]]:
    context = click.Context(command)
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            yield f"`{parameter.make_metavar(context)}`", "required", _choices(parameter)
        elif isinstance(parameter, click.Option):
            names = ", ".join(parameter.opts)
            takes = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
            yield f"`{names}{takes}`", _default(parameter), parameter.help or ""


def _choices(parameter: click.Argument) -> str:
    chosen = parameter.type
    return f"one of {', '.join(chosen.choices)}" if isinstance(chosen, click.Choice) else ""


def _default(option: click.Option) -> str:
    if isinstance(option.show_default, str):
        return option.show_default
    return f"`{option.default}`" if option.show_default else ""


def _exit_codes() -> Iterator[tuple[str, str]]:
    classes = [
        one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.PhimaskError)
    ]
    meanings = {
        0: "done and verified",
        1: "failed",
        2: "bad usage, configuration or preflight hazard; nothing was written",
        3: "done, but verification found something, quarantined documents among it",
        4: "stopped safely between two batches (breaker, canary, memory)",
        130: "interrupted; every batch that was begun is finished",
    }
    missing = {one.exit_code for one in classes} - meanings.keys()
    if missing:
        raise AssertionError(f"exit codes without a meaning here: {sorted(missing)}")
    for code, meaning in meanings.items():
        yield f"`{code}`", meaning


# Components


def components(registry: Registry) -> str:
    """Every built-in component, kind by kind."""
    parts = []
    for kind in KINDS:
        parts.append(f"## {_PLURALS[kind]}")
        if kind == "masker":
            parts.append("They have [pages of their own](maskers/README.md).")
            continue
        for name, registration in registry.classes(kind).items():
            if registration.cls.__module__.partition(".")[0] != "phimask_plugins":
                continue
            if issubclass(registration.cls, Detector) and not registration.cls.by_default:
                continue  # an extra's: pages must not depend on what is installed; the how-to tells of it
            parts.append(f"### `{name}`")
            parts.append(inspect.cleandoc(registration.cls.__doc__ or ""))
            if issubclass(registration.cls, Validator):
                phases = [one for one in ("before", "during", "after") if one in registration.cls.phases]
                parts.append(f"Asked: {', '.join(phases)}.")
            schema = registry.options_schema(kind, name)
            found = list(schema_rows(schema, schema))
            parts.append(table(("option", "type", "default", "is"), found) if found else "No options.")
    return page(
        "Components",
        "A component is chosen by name, in a profile or in a rule: `name`, or `{name: NAME, options: {...}}`. Sizes "
        "are written like `64MB`, times like `8s`. `phimask plugins show NAME` shows the same, for other people's "
        "plugins as well.",
        *parts,
    )


# Configuration


def configuration(registry: Registry) -> str:
    """Every key of phimask.yaml, profiles and collection files, and the shipped profiles' values."""
    head = ("key", "type", "default", "is")
    parts = []
    for kind, title in (
        ("project", "phimask.yaml"),
        ("collection", "Collection files and rule packs"),
        ("profile", "Profiles"),
    ):
        schema = shipped_schema(kind)
        parts += [f"## {title}", schema["description"], table(head, schema_rows(schema, schema))]
        if kind == "profile":
            parts.append(
                "A profile that extends none has to name `description`, all components, `breaker`, `retry`, `check` "
                "and `prescan` with everything in them. A component is a name, or `{name, options}`: "
                "see [components](components.md)."
            )
    return page(
        "Configuration files",
        "`phimask schema profile|collection|project` prints the JSON Schemas of these files for editors. A key that "
        "is not listed here is an error. Sizes take the units B, kB, MB, GB, TB, KiB, MiB, GiB and TiB; durations ms, "
        "s, m, h and d. `${NAME}`, `${NAME:-default}` and `${NAME:?message}` take the place of environment "
        "variables; `$${` stands for the characters `${`.",
        *parts,
        "## The shipped profiles",
        "With `extends` worked in. Each file explains each of its values: "
        + ", ".join(f"[{name}](../../profiles/{name}.yaml)" for name in shipped("profile"))
        + ".",
        _shipped_profiles(registry),
    )


def _shipped_profiles(registry: Registry) -> str:
    names = list(shipped("profile"))
    columns = []
    for name in names:
        profile = load_profile(name, directory=REFERENCE, environ={}, components=registry)
        columns.append(dict(_flat(profile)))
    keys = list(dict.fromkeys(key for column in columns for key in column))
    return table(
        ("", *names),
        (
            [f"`{key}`", *(column.get(key, "") for column in columns)]
            for key in sorted(keys, key=_profile_order)
        ),
    )


def _profile_order(key: str) -> int:
    known = list(shipped_schema("profile")["properties"])
    return known.index(key.partition(".")[0])


def _flat(profile: Any) -> Iterator[tuple[str, str]]:
    for kind in ("partitioner", "batch_sizer", "memory_governor", "executor"):
        choice = getattr(profile, kind)
        yield kind, choice.name
        for option, value in choice.options.items():
            yield f"{kind}.options.{option}", _setting(option, value)
    yield "validators", ", ".join(one.name for one in profile.validators)
    yield "observers", ", ".join(one.name for one in profile.observers)
    for part in ("breaker", "canary", "retry"):
        settings = getattr(profile, part)
        for name in settings.__dataclass_fields__ if settings is not None else ():
            shown = "max_batch" if name == "max_batch_seconds" else name
            yield f"{part}.{shown}", _setting(shown, getattr(settings, name))
    throttle = profile.throttle
    if throttle.replica_lag is not None:
        yield "throttle.replica_lag.pause", f"{throttle.replica_lag.pause:g}s"
        yield "throttle.replica_lag.resume", f"{throttle.replica_lag.resume:g}s"
    yield "throttle.flow_control", str(throttle.flow_control).lower()
    yield (
        "throttle.windows",
        ", ".join(f"{one.opens:%H:%M} to {one.closes:%H:%M}" for one in throttle.windows),
    )
    yield "throttle.flag_file", "" if throttle.flag_file is None else throttle.flag_file.as_posix()
    vault = profile.undo.vault
    yield "undo.vault", vault.as_posix() if isinstance(vault, Path) else ""
    for name, limit in asdict(profile.alerts).items():
        yield f"alerts.{name}", _alert(name, limit)
    yield "check.sample", str(profile.check_sample)
    yield "prescan.documents", str(profile.prescan)
    for name, most in asdict(profile.complexity).items():
        yield f"complexity.{name}", ", ".join(f"{what} {count}" for what, count in most.items())
    yield "strict", str(profile.strict).lower()


def _alert(rule: str, limit: Any) -> str:
    if rule == "slow" and limit is not None:
        return ", ".join(f"{what} {value:g}" for what, value in limit.items())
    if rule in ("batch", "holding") and limit is not None:
        return f"{limit:g}s"
    return _setting(rule, limit)


def _setting(name: str, value: Any) -> str:
    """A profile's value as one would write it: bytes and seconds get their units back."""
    if name in _DURATIONS:
        return f"{value:g}s"
    if name in _SIZES and value is not None:
        return f"{value / 1e9:g}GB" if value >= 1e9 else f"{value / 1e6:g}MB"
    return shown(value).strip("`")


# Hazards


def hazards() -> str:
    """Every kind of hazard, with what it means and what to do."""
    parts = []
    for severity, title, text in (
        (
            "refuses",
            "Refused",
            "No run begins while one of these is there: it would corrupt something, or could not work.",
        ),
        (
            "decide",
            "For a person to decide",
            "No run begins until each is mended or accepted: `--accept ID` for `plan`, `run` and `resume`, or "
            "`accept: [ID]` in the collection file. What was accepted is in the report.",
        ),
        ("told", "Told", "A run tells these and goes on."),
    ):
        rows = [
            (f"`{one.id}`", one.title, one.why, one.do)
            for one in HAZARD_KINDS.values()
            if one.severity == severity
        ]
        parts += [f"## {title}", text, table(("id", "what", "why it matters", "what to do"), rows)]
    return page(
        "Hazards",
        "What `phimask plan` looks for. [Read a plan](../how-to/read-a-plan.md) shows one with many of them.",
        *parts,
    )


# Report


def report() -> str:
    """Every field of the report."""
    schema = shipped_schema("report")
    run = [row for row in schema_rows(schema, schema) if not row[0].startswith("`collections[].")]
    collection = schema["$defs"]["collection"]
    parts = []
    for title, text, rows in (
        ("The run", schema["description"], run),
        ("Each of `collections`", collection["description"], list(schema_rows(collection, schema))),
    ):
        fields = [(key, kind, told) for key, kind, _, told in rows]
        parts += [f"## {title}", text, table(("field", "type", "is"), fields)]
    manifest = shipped_schema("manifest")
    fields = [(key, kind, told) for key, kind, _, told in schema_rows(manifest, manifest)]
    parts += ["## The manifest", manifest["description"], table(("field", "type", "is"), fields)]
    return page(
        "The report",
        "What `phimask run --report FILE` writes and `phimask run --json` prints. Every field is always there. "
        "`phimask report FILE` shows it as a page; `phimask schema report` prints its JSON Schema.",
        *parts,
    )


# Python interfaces


def hooks() -> str:
    """Every hook with its signature, every interface, every value they speak in."""
    tree = _tree(hookspecs)
    parts = ["## The hooks"]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("phimask_register_"):
            parts += [f"### `{node.name}`", _code(_signature(node)), ast.get_docstring(node) or ""]
    parts.append("## The interfaces")
    parts.append(inspect.cleandoc(interfaces.__doc__ or ""))
    parts += _classes(_tree(interfaces))
    parts.append("## For executors")
    parts += _classes(_tree(control))
    for node in _tree(log).body:
        if isinstance(node, ast.FunctionDef) and node.name in ("forward_log", "log_file", "describe_error"):
            parts += [f"### `{node.name}`", _code(_signature(node)), ast.get_docstring(node) or ""]
    parts.append("## The values")
    parts += _classes(_tree(values))
    parts += _aliases(_tree(values))
    return page(
        "Hooks and interfaces",
        inspect.cleandoc(hookspecs.__doc__ or "")
        + "\n\nAll names here are imported from `phimask`. [How to write a plugin](../how-to/write-a-plugin.md) "
        "shows them at work; a plugin's own tests call `phimask.testing`.",
        *parts,
    )


def eventspage() -> str:
    """Every event with its fields."""
    return page(
        "Events",
        inspect.cleandoc(events.__doc__ or "")
        + "\n\nImport them with `from phimask import events`. Observers are given them in the order of their making.",
        *_classes(_tree(events)),
    )


def metrics() -> str:
    """Every figure that monitoring systems are given."""
    head = ("metric", "kind", "labels", "in OpenTelemetry", "is")
    rows = (
        (
            f"`{one.name}`",
            one.kind,
            ", ".join(f"`{label}`" for label in one.labels),
            f"`{otlp_name(one)[0]}`",
            one.is_what,
        )
        for one in METRICS
    )
    bounds = ", ".join(f"{bound:g}" for bound in BOUNDS)
    return page(
        "Metrics",
        inspect.cleandoc(figures.__doc__ or "")
        + "\n\nA figure is there from the first event on that moves it. The buckets of the histogram end at "
        f"{bounds} seconds. [Watch with Prometheus](../how-to/watch-with-prometheus.md) shows them at work.",
        table(head, rows),
    )


def _tree(module: Any) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _signature(node: ast.FunctionDef) -> str:
    answer = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    # unparse writes an annotated default as `key: bytes | None=None`
    arguments = re.sub(r"(: [^=,()]+)=", r"\1 = ", ast.unparse(node.args))
    return f"def {node.name}({arguments}){answer}"


def _classes(tree: ast.Module) -> list[str]:
    parts: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            parts += [f"### `{node.name}`", ast.get_docstring(node) or ""]
            lines = list(_members(node))
            if lines:
                parts.append(_code("\n".join(lines)))
    return parts


def _members(node: ast.ClassDef) -> Iterator[str]:
    """Attributes and public methods as a reader of the source sees them, docstrings as comments."""
    body = node.body
    for index, one in enumerate(body):
        if isinstance(one, ast.AnnAssign | ast.Assign):
            yield ast.unparse(one)
            after = body[index + 1] if index + 1 < len(body) else None
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                yield from _comment(inspect.cleandoc(str(after.value.value)))
        elif isinstance(one, ast.FunctionDef) and (one.name == "__init__" or not one.name.startswith("_")):
            if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in one.decorator_list):
                yield "@property"
            yield _signature(one)
            yield from _comment(ast.get_docstring(one) or "")


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield f"    # {line}".rstrip()


def _aliases(tree: ast.Module) -> list[str]:
    found = [
        ast.unparse(node)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)
    ]
    return ["### Type aliases", _code("\n".join(found))] if found else []


def main(arguments: Sequence[str], say: Callable[[str], object] = click.echo) -> int:
    """Write the pages, or with `--check` compare them; the exit code is returned."""
    stale = 0
    for name, text in pages().items():
        path = REFERENCE / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if before == text:
            continue
        stale += 1
        if "--check" in arguments:
            say(
                "\n".join(
                    difflib.unified_diff(before.splitlines(), text.splitlines(), name, name, lineterm="", n=1)
                )
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            say(f"wrote {path}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
