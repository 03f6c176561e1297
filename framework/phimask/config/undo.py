"""The way back, of a profile: where the vault is, with no credential written out."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from phimask.config.environment import without_references
from phimask.config.model import Secret, Undo
from phimask.config.nodes import Node, at, mapping, text_of
from phimask.config.uris import holds_credential
from phimask.config.wording import fault_at
from phimask.errors import Fault

VAULT_VARIABLE: Final = "PHIMASK_VAULT"

_SCHEMES: Final = ("mongodb://", "mongodb+srv://")


def refuse_credentials(tree: Node, faults: list[Fault]) -> None:
    """A profile's tree, as it is written, may hold references to variables and no credential."""
    node = at(tree, ("undo", "vault"))
    if isinstance(node.value, str) and holds_credential(without_references(node.value, "\0")):
        right = f"write ${{{VAULT_VARIABLE}}}, and set that variable where phimask runs"
        faults.append(fault_at(node.origin, "a credential is written out", right))


def undo_settings(tree: Node, faults: list[Fault]) -> Undo:
    """What `undo:` says, once the tree is checked."""
    node = mapping(tree).get("vault", tree)
    where = text_of(node)
    if not where:
        return Undo(None)
    if where.startswith(_SCHEMES):
        return Undo(Secret(where))
    if "://" in where:
        right = "write a directory, or a connection string that begins with mongodb:// or mongodb+srv://"
        faults.append(fault_at(node.origin, "this is neither a directory nor MongoDB's", right))
    return Undo(Path(where))


def beside_the_project(undo: Undo, directory: Path) -> Undo:
    """With an absolute directory, since workers may not start where the command did."""
    return Undo((directory / undo.vault).absolute()) if isinstance(undo.vault, Path) else undo
