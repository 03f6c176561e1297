"""phimask.yaml, with what the command line says over it: where a run works."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from phimask.config.data import shipped_schema, shown
from phimask.config.environment import substitute, without_references
from phimask.config.model import Coordination, KeySource, Origin, Project, Secret, ShadowSetting, Target
from phimask.config.nodes import Node, at, mapping, sequence, text_of
from phimask.config.schema_check import checked
from phimask.config.uris import holds_credential
from phimask.config.wording import fault_at, in_order, quoted
from phimask.config.yaml_lines import read_yaml
from phimask.errors import ConfigError, Fault

PROJECT_FILE: Final = "phimask.yaml"
URI_VARIABLE: Final = "PHIMASK_URI"
TARGET_URI_VARIABLE: Final = "PHIMASK_TARGET_URI"
LEDGER_URI_VARIABLE: Final = "PHIMASK_LEDGER_URI"


def is_project(directory: Path) -> bool:
    """Whether a phimask.yaml is there. A link that leads nowhere (a share that is not mounted, say) counts, and so does
    one in a folder that may not be looked into; neither can be read: without what stands there, a run might mask in
    place what was to be copied."""
    try:
        (directory / PROJECT_FILE).lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def load_project(
    *,
    project_file: Path | None = None,
    directory: Path,
    uri: str | None = None,
    database: str | None = None,
    target_uri: str | None = None,
    target_database: str | None = None,
    environ: Mapping[str, str],
) -> Project:
    """The project: `project_file`, or else phimask.yaml in `directory`, or else nothing but the flags.

    Flags go over the file, and the file over the variables PHIMASK_URI and PHIMASK_TARGET_URI, which are used
    where neither names a deployment. A credential written out in a flag or in the file is a fault.
    Raises ConfigError with all faults.
    """
    file = project_file or directory / PROJECT_FILE
    origin = Origin("the command line", None, "$")
    tree = Node({"version": Node(1, origin)}, origin)
    written = project_file is not None or is_project(directory)
    if written:
        tree = read_yaml(file, shown(file))
    faults: list[Fault] = []
    _refuse_credentials(tree, faults)
    tree = _with_flags(tree, uri, database, target_uri, target_database, faults)
    tree = checked(
        substitute(_with_variables(tree, environ), environ, faults), shipped_schema("project"), faults
    )
    if not faults:
        _refuse_itself_as_target(tree, faults)
    if faults:
        raise ConfigError(in_order(faults))
    folder = file.parent if written else directory
    keys = mapping(tree)
    key_nodes = sequence(keys["key"]) if isinstance(keys["key"].value, list) else [keys["key"]]
    key, *older_keys = (_key_source(node, folder) for node in key_nodes)
    return Project(
        directory=folder,
        uri=_secret(keys.get("uri")),
        database=text_of(keys.get("database")),
        target=_target(mapping(keys["target"])) if "target" in keys else None,
        coordination=_coordination(mapping(keys["coordination"])),
        key=key,
        older_keys=tuple(older_keys),
        signing_key=_key_source(keys["signing_key"], folder),
        profile=text_of(keys.get("profile")),
        collections=_texts(keys.get("collections")),
        plugins=_texts(keys.get("plugins")),
        origin=tree.origin,
        places=dict(_places(keys)),
    )


def _key_source(node: Node, folder: Path) -> KeySource:
    parts = mapping(node)
    file = text_of(parts.get("file"))
    return KeySource(env=text_of(parts.get("env")), file=None if file is None else folder / file)


def _target(parts: Mapping[str, Node]) -> Target:
    shadow = None
    if "shadow" in parts:
        told = mapping(parts["shadow"]) if isinstance(parts["shadow"].value, dict) else {}
        shadow = ShadowSetting(
            keep_original=bool(told["keep_original"].value) if told else True,
            catch_up=bool(told["catch_up"].value) if told else False,
        )
    return Target(_secret(parts.get("uri")), text_of(parts.get("database")), shadow)


def _coordination(parts: Mapping[str, Node]) -> Coordination:
    return Coordination(
        uri=_secret(parts.get("uri")),
        database=str(parts["database"].value),
        prefix=str(parts["prefix"].value),
    )


def _secret(node: Node | None) -> Secret | None:
    text = text_of(node)
    return None if text is None else Secret(text)


def _texts(node: Node | None) -> tuple[str, ...]:
    return tuple(str(item.value) for item in sequence(node)) if node is not None else ()


def _places(keys: Mapping[str, Node]) -> Iterator[tuple[str, Origin]]:
    for name in ("profile", "collections", "plugins"):
        if name in keys:
            for node in (keys[name], *sequence(keys[name])):
                yield node.origin.path, node.origin


def _refuse_credentials(tree: Node, faults: list[Fault]) -> None:
    for path, variable in (
        (("uri",), URI_VARIABLE),
        (("target", "uri"), TARGET_URI_VARIABLE),
        (("coordination", "uri"), LEDGER_URI_VARIABLE),
    ):
        node = at(tree, path)
        if isinstance(node.value, str) and holds_credential(without_references(node.value, "\0")):
            right = f"write ${{{variable}}}, and set that variable where phimask runs"
            faults.append(fault_at(node.origin, "a credential stands in the file", right))


def _with_flags(
    tree: Node,
    uri: str | None,
    database: str | None,
    target_uri: str | None,
    target_database: str | None,
    faults: list[Fault],
) -> Node:
    for flag, variable, given in (
        ("--uri", URI_VARIABLE, uri),
        ("--target-uri", TARGET_URI_VARIABLE, target_uri),
    ):
        if given is not None and holds_credential(given):
            wrong = "a credential stands on the command line, where every process can read it"
            right = f"set the environment variable {variable} to the connection string instead"
            faults.append(Fault(flag, None, "$", wrong, right))
    tree = _over(tree, "uri", _literal(uri, "--uri", "$.uri"))
    tree = _over(tree, "database", _literal(database, "--db", "$.database"))
    if target_uri is None and target_database is None:
        return tree
    flag = "--target-uri" if target_uri is not None else "--target-db"
    target = mapping(tree).get("target", Node({}, Origin(flag, None, "$.target")))
    if isinstance(target.value, dict):
        target = _over(target, "uri", _literal(target_uri, "--target-uri", "$.target.uri"))
        target = _over(target, "database", _literal(target_database, "--target-db", "$.target.database"))
    return _over(tree, "target", target)


def _with_variables(tree: Node, environ: Mapping[str, str]) -> Node:
    if "uri" not in mapping(tree) and environ.get(URI_VARIABLE):
        tree = _over(tree, "uri", _literal(environ[URI_VARIABLE], URI_VARIABLE, "$.uri"))
    target_uri = environ.get(TARGET_URI_VARIABLE)
    target = mapping(tree).get("target", Node({}, Origin(TARGET_URI_VARIABLE, None, "$.target")))
    if target_uri and isinstance(target.value, dict) and not {"uri", "shadow"} & set(target.value):
        # with no target but this variable a copy is meant: masking in place could not be taken back
        target = _over(target, "uri", _literal(target_uri, TARGET_URI_VARIABLE, "$.target.uri"))
        tree = _over(tree, "target", target)
    return tree


def _literal(text: str | None, source: str, path: str) -> Node | None:
    """A flag's or a variable's text as a node; what looks like a reference in it is none."""
    return None if text is None else Node(text.replace("${", "$${"), Origin(source, None, path), written=text)


def _over(tree: Node, key: str, node: Node | None) -> Node:
    return tree if node is None else replace(tree, value={**mapping(tree), key: node})


def _refuse_itself_as_target(tree: Node, faults: list[Fault]) -> None:
    """A target that is the source would be masked in place by somebody who asked for a copy."""
    keys = mapping(tree)
    target = mapping(keys.get("target", tree)) if "target" in keys else {}
    if not target:
        return
    if "shadow" in target:
        other = next((target[name] for name in ("uri", "database") if name in target), None)
        if other is not None:
            wrong = "a shadow is a collection of the database that is masked, and another place is named too"
            faults.append(fault_at(other.origin, wrong, "leave out one of the two"))
        told = mapping(target["shadow"]) if isinstance(target["shadow"].value, dict) else {}
        if told and told["catch_up"].value and told["keep_original"].value:
            wrong = (
                "an original that is kept has to give up its name first, and while others write, there may be no "
                "moment in which nothing has it"
            )
            faults.append(
                fault_at(
                    told["catch_up"].origin, wrong, "write keep_original: false beside it, or leave it out"
                )
            )
        return
    same_deployment = "uri" not in target or text_of(target["uri"]) == text_of(keys.get("uri"))
    database = text_of(target.get("database"))
    same_database = database is None or database == text_of(keys.get("database"))
    if same_deployment and same_database:
        place = target.get("database", keys["target"])
        what = f"the database {quoted(place.written)}" if "database" in target else "the target"
        wrong = f"{what} is the source itself"
        faults.append(
            fault_at(place.origin, wrong, "name another database; to mask in place, leave target out")
        )
