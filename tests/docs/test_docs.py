"""The documentation holds: generated pages are current, nothing public is missing, examples are what they claim."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import click
import pytest
import yaml
from pymongo import MongoClient
from pymongo.collection import Collection

import phimask
import phimask.testing
from phimask.cli import resume
from phimask.cli.commands import COMMANDS
from phimask.config import project as config_project
from phimask.config.collection import load_collection
from phimask.config.data import shipped, shipped_schema
from phimask.config.profile import load_profile
from phimask.config.project import load_project
from phimask.engine import beginning
from phimask.ledger import claims, opening, run_record
from phimask.ledger import runs as ledger_runs
from phimask.ledger.partitions import LEASE_SECONDS, RENEWAL_SECONDS
from phimask.ledger.run_record import SILENCE_SECONDS
from phimask.plugins import hookspecs
from phimask.plugins.class_check import KINDS
from phimask.plugins.interfaces import Component, Detector
from phimask.plugins.loading import load_registry
from phimask.plugins.registry import Registry
from phimask.store import connect

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"))]
)
REFERENCE = DOCS / "reference"
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"<!-- (file|append|plugin)(?:: (\S+))? -->\n```\w+\n(.*?)```", re.DOTALL)
FIGURE = re.compile(r"[0-9][0-9,.]*\s*(documents/s|docs/s|documents a second|MB/s|µs)")


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("phimask_docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)  # where a script finds what lies beside it
        spec.loader.exec_module(module)
    return module


def test_the_reference_is_what_the_code_says(generator: ModuleType) -> None:
    pages = generator.pages()
    assert sorted(pages) == sorted(path.relative_to(REFERENCE).as_posix() for path in REFERENCE.rglob("*.md"))
    stale = [name for name, page in pages.items() if text(REFERENCE / name) != page]
    assert not stale, f"{', '.join(stale)}: run `python docs/generate.py`"


def test_the_generator_tells_stale_pages_and_mends_them(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "REFERENCE", tmp_path)
    monkeypatch.setattr(generator, "pages", lambda: {"some/one.md": "new\n"})
    said: list[str] = []
    assert generator.main(["--check"], said.append) == 1
    assert "+new" in said[0]
    assert not list(tmp_path.iterdir())
    assert generator.main([], said.append) == 0
    assert text(tmp_path / "some" / "one.md") == "new\n"
    assert generator.main(["--check"], said.append) == 0


def test_every_hook_is_documented_with_its_signature() -> None:
    page = text(REFERENCE / "hooks.md")
    hooks = [name for name, _ in inspect.getmembers(hookspecs, inspect.isfunction) if name in vars(hookspecs)]
    hooks = [name for name in hooks if name.startswith("phimask_")]
    assert len(hooks) == len(KINDS)
    for name in hooks:
        function = getattr(hookspecs, name)
        assert f"def {name}{inspect.signature(function)}".replace("'", "") in page
        assert inspect.getdoc(function) in page


def test_every_public_name_is_in_the_reference_or_a_guide() -> None:
    everything = "".join(map(text, PAGES))
    missing = [name for name in phimask.__all__ if not name.startswith("_") and name not in everything]
    assert not missing


def test_every_component_and_option_is_in_the_reference(registry: Registry) -> None:
    page = text(REFERENCE / "components.md")
    sections: dict[str, str] = {}  # two kinds may have a component of one name
    for part in re.split(r"^### ", page, flags=re.MULTILINE):
        name = part.partition("\n")[0].strip("` ")
        sections[name] = sections.get(name, "") + part
    seen = 0
    for kind in KINDS:
        for name, registration in registry.classes(kind).items():
            if not registration.cls.__module__.startswith("phimask_plugins."):
                continue
            if issubclass(registration.cls, Detector) and not registration.cls.by_default:
                continue  # an extra's, which may not be installed: a guide tells of it
            seen += 1
            where = text(REFERENCE / "maskers" / f"{name}.md") if kind == "masker" else sections[name]
            for option in registry.options_schema(kind, name).get("properties", {}):
                assert f"| `{option}` |" in where, f"{name}: {option}"
    assert seen > len(KINDS)


def masker_pages() -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted((REFERENCE / "maskers").glob("[a-z]*.md"))]


@pytest.mark.parametrize("path", masker_pages())
def test_a_masker_s_page_has_all_that_a_reader_asks(path: Path, registry: Registry) -> None:
    page = text(path)
    headings = re.findall(r"^## (.*)$", page, flags=re.MULTILINE)
    assert headings == ["Properties", "Options", "Example", "Source"]
    cls = registry.masker(path.stem)
    properties = page.partition("## Options")[0]
    asked = (
        "takes (BSON types)",
        "gives (BSON types)",
        "uniqueness",
        "changes",
        "idempotent",
        "reversible",
        "needs",
    )
    assert [one for one in asked if f"| {one} |" not in properties] == []
    assert ("a key" in properties.partition("| needs |")[2]) == cls.needs_key
    example = page.partition("## Example")[2].partition("## Source")[0]
    assert f"masker: {path.stem}" in example or f"name: {path.stem}" in example
    pairs = re.findall(r"^\| `(.*)` \| `(.*)` \|$", example, flags=re.MULTILINE)
    assert pairs
    assert any(before != after for before, after in pairs)


def test_what_masks_reversibly_is_shown_there_and_back() -> None:
    def results(name: str) -> list[tuple[str, str]]:
        return re.findall(
            r"^\| `(.*)` \| `(.*)` \|$", text(REFERENCE / "maskers" / f"{name}.md"), flags=re.MULTILINE
        )

    for there, back in (("encrypt", "decrypt"), ("fpe", "fpe_decrypt"), ("tokenize", "detokenize")):
        kept = [pair for pair in results(there) if "REDACTED" not in pair[1]]
        assert kept
        assert [pair[::-1] for pair in kept] == [pair for pair in results(back) if "REDACTED" not in pair[0]]


def commands(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield f"phimask {name}", command
    if isinstance(command, click.Group):
        for child, one in command.commands.items():
            yield from commands(f"{name} {child}", one)


def test_every_command_and_flag_is_in_the_reference() -> None:
    page = text(REFERENCE / "command-line.md")
    sections = {
        part.partition("\n")[0].strip("` "): part for part in re.split(r"^## ", page, flags=re.MULTILINE)
    }
    for path, command in (one for name, place in COMMANDS.items() for one in commands(name, place.command())):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert all(flag in sections[path] for flag in parameter.opts), f"{path}: {parameter.opts}"


def keys(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, child in schema.get("properties", {}).items():
        yield f"{prefix}{key}"
        yield from keys(child, f"{prefix}{key}.")


@pytest.mark.parametrize("kind", ["profile", "project", "collection"])
def test_every_key_of_every_file_is_in_the_reference(kind: str) -> None:
    page = text(REFERENCE / "configuration.md")
    assert [key for key in keys(shipped_schema(kind)) if f"| `{key}` |" not in page] == []


def test_every_shipped_profile_is_in_the_reference() -> None:
    page = text(REFERENCE / "configuration.md")
    assert [name for name in shipped("profile") if f"profiles/{name}.yaml" not in page] == []


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text(path)), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCED.sub("", text(page))):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_map() -> None:
    lists = [DOCS / "README.md", REFERENCE / "maskers" / "README.md"]
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in lists
        for link in LINK.findall(text(page))
    }
    assert [page_id(page) for page in DOCS.rglob("*.md") if page not in (DOCS / "README.md", *linked)] == []


def named_files() -> list[Any]:
    return [
        pytest.param(name, body, id=f"{page_id(page)}-{name}-{number}")
        for page in PAGES
        for number, (what, name, body) in enumerate(NAMED.findall(text(page)))
        if what == "file" and name.endswith(".yaml")
    ]


@pytest.mark.parametrize(("name", "body"), named_files())
def test_whole_files_in_the_text_are_valid(name: str, body: str, tmp_path: Path, registry: Registry) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(body, encoding="utf-8")
    environ = {
        "PHIMASK_URI": "mongodb://localhost/",
        "PHIMASK_TARGET_URI": "mongodb://localhost:27018/",
        "PHIMASK_LEDGER_URI": "mongodb://localhost:27019/",
        "PHIMASK_NOTIFY_OPS": "slack://TokenA/TokenB/TokenC/Channel",
        "PHIMASK_NOTIFY_MAIL": "mailtos://user:password@example.org?to=ops@example.org",
    }
    if name == "phimask.yaml":
        assert load_project(directory=tmp_path, environ=environ).database
    elif path.parent.name == "collections":
        loaded = load_collection(path.stem, directory=tmp_path, environ=environ, components=registry)
        assert loaded.rules
    else:
        assert load_profile(path.stem, directory=tmp_path, environ=environ, components=registry).description


def test_the_files_in_the_text_are_found() -> None:
    assert len(named_files()) >= 6


def plugins() -> list[Any]:
    page = DOCS / "how-to" / "write-a-plugin.md"
    found = [body for what, _, body in NAMED.findall(text(page)) if what == "plugin"]
    return [pytest.param(body, id=re.findall(r'name = "(\w+)"', body)[0]) for body in found]


@pytest.mark.parametrize("body", plugins())
def test_the_guide_s_plugins_keep_their_interfaces(body: str, tmp_path: Path) -> None:
    (tmp_path / "guest.py").write_text(body, encoding="utf-8")
    found = load_registry(["guest.py"], tmp_path)
    guests: list[type[Component]] = [
        registration.cls
        for kind in KINDS
        for registration in found.classes(kind).values()
        if registration.provider == "guest.py"
    ]
    assert len(guests) == 1
    phimask.testing.check(guests[0])


def test_the_guide_shows_a_plugin_of_every_kind() -> None:
    shown = "".join(parameter.values[0] for parameter in plugins())
    assert [kind.hook for kind in KINDS.values() if f"def {kind.hook}(" not in shown] == []


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_figure_stands_without_the_command_that_made_it(page: Path) -> None:
    prose = FENCED.sub("", text(page))
    for section in re.split(r"^#+ ", prose, flags=re.MULTILINE):
        if FIGURE.search(section):
            whole = text(page)
            assert "tests/benchmarks/" in whole, (
                f"a measured figure without its command: {section.splitlines()[0]}"
            )


def test_the_readme_s_commands_are_those_that_are_checked() -> None:
    readme = text(ROOT / "README.md")
    assert "pip install uv && uv run phimask --profile emergency" in readme
    assert "pip install uv && uv run pytest" in readme
    assert "uv run pytest" in text(ROOT / ".ci" / "run")


def test_the_picture_loads_nothing_from_elsewhere() -> None:
    picture = text(DOCS / "images" / "run.svg")
    assert "phimask" in picture
    assert set(re.findall(r"https?://[^\"'\s)<]+", picture)) <= {"http://www.w3.org/2000/svg"}


# What the pages on runs say, held against the code


def page(name: str) -> str:
    return text(DOCS / name)


def first_cells(written: str, heading: str) -> list[str]:
    """The first column of the first table under a heading."""
    table = re.search(r"^\|.*\n\|[-| ]+\n((?:\|.*\n)+)", written.partition(heading)[2], flags=re.MULTILINE)
    assert table is not None, heading
    return [row.strip("|").split(" | ")[0].strip() for row in table.group(1).splitlines()]


def messages(*modules: ModuleType) -> list[str]:
    """All texts in these modules, with ... where something is put in."""
    found: list[str] = []
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.JoinedStr):
                parts = [str(one.value) if isinstance(one, ast.Constant) else "..." for one in node.values]
                found.append("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def is_said(quoted: str, said: list[str]) -> bool:
    parts = [re.escape(part.strip()) for part in quoted.split("...") if part.strip()]
    return any(re.search(".*".join(parts), one, flags=re.DOTALL) for one in said)


@pytest.mark.parametrize(
    ("name", "heading", "modules"),
    [
        ("how-to/resume-a-run.md", "## What is refused", (beginning, claims, ledger_runs, resume)),
        ("how-to/keep-the-ledger-elsewhere.md", "## What is refused", (opening, connect, config_project)),
    ],
)
def test_refusals_read_as_the_page_quotes_them(name: str, heading: str, modules: tuple[ModuleType]) -> None:
    quotes = [quote for cell in first_cells(page(name), heading) for quote in re.findall(r"`([^`]+)`", cell)]
    assert len(quotes) >= 5
    plain = [re.sub(r"\b\d+\b", "...", quote) for quote in quotes]
    assert [quote for quote in plain if not is_said(quote, messages(*modules))] == []


def test_a_quote_that_nobody_says_is_noticed() -> None:
    assert is_said("the rules of ... have changed", messages(beginning))
    assert not is_said("the rules of ... are no longer", messages(beginning))


def test_the_page_on_the_ledger_names_its_collections() -> None:
    ledger = opening.Ledger(MongoClient(connect=False), "phimask", "masking_coordination")
    own = [
        value.name
        for name in vars(opening.Ledger)
        if isinstance(value := getattr(ledger, name), Collection) and name != "client"
    ]
    assert len(own) == 5
    named = {opening.APPLIED}
    for module in sorted(Path(opening.__file__).parents[1].rglob("*.py")):
        text = module.read_text("utf-8")
        named.update(re.findall(r'\.named\("(\w+)"\)', text))
        for constant in re.findall(r"\.named\(([A-Z_]+)\)", text):
            named.update(re.findall(rf'^{constant}: Final = "(\w+)"', text, re.MULTILINE))
    assert {"heartbeat", "series", "indexes", "remembered"} <= named
    others = {ledger.named(name).name for name in named}
    listed = first_cells(page("how-to/keep-the-ledger-elsewhere.md"), "# Keep the ledger elsewhere")
    cells = [name.strip("`") for cell in listed for name in cell.split(", ")]
    assert sorted(cells) == sorted({*own, *others})


def test_the_pages_on_runs_have_the_times_of_the_code() -> None:
    exactly = " ".join(page("explanation/exactly-once.md").split())
    assert f"renews it every {RENEWAL_SECONDS:g} seconds; after {LEASE_SECONDS:g} seconds" in exactly
    resuming = " ".join(page("how-to/resume-a-run.md").split())
    assert f"{SILENCE_SECONDS:g} seconds after the last sign of life of the run" in resuming
    assert f"are free {LEASE_SECONDS:g} seconds after" in resuming


def test_every_state_of_a_run_is_explained() -> None:
    cells = " ".join(first_cells(page("how-to/steer-a-run.md"), "## Look\n"))
    assert {*re.findall(r"`(\w+)`", cells)} == {*get_args(run_record.State), "dead"}


def test_the_commands_that_steer_are_there() -> None:
    cells = first_cells(page("how-to/steer-a-run.md"), "# Steer a run")
    names = {cell.strip("`").split()[1] for cell in cells}
    assert names == {"status", "pause", "continue", "stop"}
    assert names < set(COMMANDS)


def test_the_pages_on_profiles_say_what_the_profiles_say(registry: Registry) -> None:
    profiles = {
        name: load_profile(name, directory=ROOT, environ={}, components=registry)
        for name in shipped("profile")
    }
    workers = {name: found.executor.name for name, found in profiles.items()}
    assert workers == {"emergency": "inline", "parallel": "local", "advanced": "local", "production": "local"}
    block = re.search(
        r"```yaml\n# in the profile\n(executor:.*?)```", page("how-to/run-in-parallel.md"), re.DOTALL
    )
    assert block is not None
    written = yaml.safe_load(block.group(1))["executor"]["options"]
    assert set(written) < set(registry.options_schema("executor", "local")["properties"])
    for name, found in profiles.items():
        if found.executor.name == "local":
            options = found.executor.options
            memory = 900_000_000 if name == "advanced" else 2_800_000_000
            assert (options["workers"], options["max"], options["memory"]) == ("auto", 16, memory), name
    assert (written["workers"], written["max"], written["memory"]) == ("auto", 16, "2.8GB")

    guards = {name: found.write.guard for name, found in profiles.items()}
    assert guards == {name: "changed" if name == "production" else "auto" for name in profiles}
    assert all(found.write.journal for found in profiles.values())
    enum = shipped_schema("profile")["properties"]["write"]["properties"]["guard"]["enum"]
    cells = first_cells(page("how-to/guard-against-live-writers.md"), "# Guard")
    assert sorted(cell.strip("`") for cell in cells) == sorted(enum)
    targets = {name: found.batch_sizer.options["target"] for name, found in profiles.items()}
    assert (targets["production"], targets["parallel"], targets["emergency"]) == (2.0, 4.0, 4.0)
    assert profiles["parallel"].batch_sizer.options["documents"] == 5000
