"""A collection file: its packs' rules, its own, and from these one checked `CollectionFile`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from phimask.config.components import ComponentCatalog, Known, choose
from phimask.config.data import shipped_schema
from phimask.config.environment import substitute
from phimask.config.extends import lineage
from phimask.config.merge import merge
from phimask.config.model import Coding, CollectionFile, OnError, Origin, Rule, Unmapped
from phimask.config.nodes import Node, mapping, plain, sequence, text_of
from phimask.config.paths import PathSyntaxError, parse_path
from phimask.config.schema_check import checked
from phimask.config.wording import fault_at, in_order
from phimask.errors import ConfigError, Fault
from phimask.plugins.values import Wildcard


def load_collection(
    name: str,
    *,
    directory: Path,
    safe_mode: bool = False,
    pack: bool = False,
    environ: Mapping[str, str],
    components: ComponentCatalog,
    said: Origin | None = None,
    by: Path | None = None,
) -> CollectionFile:
    """The collection file called `name` (or in that file), after the packs that it extends.

    The packs' rules come first, in order, each pack once even where two others extend it; its subject and its
    answers to errors hold where the file has none of its own. In safe mode an error halts. With `pack`, a file
    without `collection` is accepted: a rule pack, looked at by itself. `said` and `by` are as in `lookup`.
    Raises ConfigError with all faults.
    """
    faults: list[Fault] = []
    files = lineage("collection", name, directory, environ, faults, said=said, by=by)
    path, _ = files[-1]
    tree = checked(
        substitute(_merged([tree for _, tree in files]), environ, faults),
        shipped_schema("collection"),
        faults,
    )
    keys = mapping(tree)
    if "collection" not in keys and not pack and not faults:
        wrong = "the file names no collection: it is a rule pack, there to be extended"
        faults.append(fault_at(tree.origin, wrong, "add `collection:`, or name a file that extends this one"))
    subject = _subject(keys.get("subject"), faults)
    known: Known = {}
    rules = (
        [_rule(node, components, faults, known) for node in sequence(keys["rules"])]
        if "rules" in keys
        else []
    )
    if "subject" not in keys and not pack:
        _refuse_without_subject([rule for rule in rules if rule is not None], components, faults)
    if keys["unmapped"].value == "redact":
        rules.insert(0, _redact_unmapped(keys["unmapped"], components, faults))
    if faults:
        raise ConfigError(in_order(faults))
    return CollectionFile(
        name=path.stem,
        collection=text_of(keys.get("collection")),
        subject=subject,
        unmapped=cast("Unmapped", keys["unmapped"].value),
        on_error="halt" if safe_mode else cast("OnError", keys["on_error"].value),
        rules=tuple(rule for rule in rules if rule is not None),
        origin=tree.origin,
        accept=tuple(text_of(one) or "" for one in sequence(keys["accept"])) if "accept" in keys else (),
    )


def _merged(trees: list[Node]) -> Node:
    """The packs' keys under the file's own, all rules in one list."""
    own = trees[-1]
    merged = own
    rules: list[Node] = []
    where = mapping(own).get("rules")
    for tree in trees:
        keys = mapping(tree)
        merged = merge(
            Node({key: child for key, child in keys.items() if key != "collection"}, own.origin), merged
        )
        if "rules" in keys and not isinstance(keys["rules"].value, list):
            where = keys["rules"]  # no list: the schema says so, at its own place
            break
        rules += sequence(keys["rules"]) if "rules" in keys else []
    else:
        if where is None and not rules:
            return merged
        where = Node(rules, where.origin if where is not None else own.origin)
    return replace(merged, value={**mapping(merged), "rules": where})


def _rule(node: Node, components: ComponentCatalog, faults: list[Fault], known: Known) -> Rule | None:
    keys = mapping(node)
    path, masker = keys.get("path"), keys.get("masker")
    choice = None if masker is None else choose("masker", masker, components, faults, known)
    segments = None if path is None else _segments(path, faults)
    decode = _decode(keys.get("decode"), faults, alone=masker is None)
    if path is None or segments is None or (choice is None and (masker is not None or not decode)):
        return None
    when = plain(keys["when"]) if "when" in keys else None
    return Rule(str(path.value), segments, choice, node.origin, when, decode, _identifiers(keys.get("hipaa")))


def _identifiers(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    return tuple(str(part.value) for part in (sequence(node) if isinstance(node.value, list) else [node]))


def _decode(node: Node | None, faults: list[Fault], *, alone: bool) -> tuple[Coding, ...]:
    """How a field is held; `alone`: the rule has no masker."""
    if node is None or node.broken:
        return ()
    parts = sequence(node) if isinstance(node.value, list) else [node]
    codings = tuple(cast("Coding", part.value) for part in parts if part.value in ("json", "base64"))
    if len(codings) < len(parts) or not codings:
        return ()
    if alone and codings[-1] != "json":
        wrong = "what base64 holds is a text without paths inside, and the rule has no masker for it"
        faults.append(fault_at(node.origin, wrong, "add `masker:`, or write [base64, json] if it holds JSON"))
    return codings


def _redact_unmapped(node: Node, components: ComponentCatalog, faults: list[Fault]) -> Rule | None:
    """The rule that `unmapped: redact` stands for: lowest of all, for every path."""
    choice = choose("masker", replace(node, value="redact"), components, faults)
    return None if choice is None else Rule("**", (Wildcard.ANY_DEPTH,), choice, node.origin)


def _segments(node: Node, faults: list[Fault]) -> tuple[str | Wildcard, ...] | None:
    text = text_of(node)
    if not text or node.broken:
        return None
    try:
        return parse_path(text)
    except PathSyntaxError as error:
        faults.append(fault_at(node.origin, error.wrong, error.right))
        return None


def _subject(node: Node | None, faults: list[Fault]) -> tuple[str, ...] | None:
    segments = None if node is None else _segments(node, faults)
    if node is None or segments is None:
        return None
    keys = tuple(segment for segment in segments if isinstance(segment, str))
    if len(keys) < len(segments):
        wrong = "the subject's path has a wildcard, and a document is about one person"
        faults.append(fault_at(node.origin, wrong, "name one path, such as PatientId"))
    return keys


def _refuse_without_subject(rules: list[Rule], components: ComponentCatalog, faults: list[Fault]) -> None:
    for masker in (rule.masker for rule in rules):
        if masker is not None and components.needs_subject(masker.name):
            wrong = f"the masker {masker.name} works person by person, and the file names no subject"
            right = "add `subject:` with the path of what identifies the person, such as PatientId"
            faults.append(fault_at(masker.origin, wrong, right))
