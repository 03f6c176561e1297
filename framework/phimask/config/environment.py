"""Environment variables in configuration files: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`.

The forms are those of the POSIX shell (XCU, section 2.6.2): with a colon, an empty variable counts as unset.
`$${` stands for the two characters `${`. A scalar without quotes takes the type of what comes out, so that
`${WORKERS:-4}` is a number. What a variable holds is never shown: faults show the text as written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from phimask.config.model import Origin
from phimask.config.nodes import Node
from phimask.config.wording import fault_at, quoted
from phimask.config.yaml_lines import scalar_of
from phimask.errors import Fault

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?:(?P<operator>:[-?])(?P<operand>[^}]*))?\}"
    r"|(?P<wrong>\$\{)"
)
_RIGHT_FORM = "write ${NAME}, ${NAME:-default} or ${NAME:?message}, or $${ for the characters themselves"


def substitute(node: Node, environ: Mapping[str, str], faults: list[Fault]) -> Node:
    """The tree with every reference replaced; what is missing is added to `faults`, and its node marked broken."""
    if isinstance(node.value, dict):
        return replace(
            node, value={key: substitute(child, environ, faults) for key, child in node.value.items()}
        )
    if isinstance(node.value, list):
        return replace(node, value=[substitute(child, environ, faults) for child in node.value])
    if not isinstance(node.value, str) or "${" not in node.value:
        return node
    before = len(faults)
    text = _REFERENCE.sub(lambda match: _replacement(match, environ, node.origin, faults), node.value)
    if len(faults) > before:
        return replace(node, broken=True)
    if not node.bare or not text:
        return replace(node, value=text)
    try:
        return replace(node, value=scalar_of(text))
    except ValueError:
        faults.append(
            fault_at(node.origin, f"{quoted(node.written)} is out of range", "set a smaller number")
        )
        return replace(node, broken=True)


def without_references(text: str, stand_in: str) -> str:
    """The text with `stand_in` for every variable; defaults, which are written in the file, stay."""

    def literal(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return "${"
        return (match["operand"] or "") if match["operator"] == ":-" and match["operand"] else stand_in

    return _REFERENCE.sub(literal, text)


def _replacement(
    match: re.Match[str], environ: Mapping[str, str], origin: Origin, faults: list[Fault]
) -> str:
    if match["escaped"] is not None:
        return "${"
    name = match["name"]
    if name is None:
        faults.append(fault_at(origin, "a ${ begins no reference to a variable", _RIGHT_FORM))
        return ""
    value = environ.get(name)
    if match["operator"] is None and value is not None:
        return value
    if match["operator"] is not None and value:
        return value
    if match["operator"] == ":-":
        return match["operand"]
    state = "is not set" if value is None else "is empty"
    right = match["operand"] or f"set it, or give a default: ${{{name}:-default}}"
    faults.append(fault_at(origin, f"the environment variable {name} {state}", right))
    return ""
