"""The pages of what a plugin is written against, read from the sources: hooks, interfaces, values, events."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

from generator.markdown import page
from phimask import log
from phimask.engine import control
from phimask.plugins import events, given, hookspecs, interfaces, values


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
    parts.append("## What they are given")
    parts.append(inspect.cleandoc(given.__doc__ or ""))
    parts += _classes(_tree(given))
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


def events_page() -> str:
    """Every event with its fields."""
    return page(
        "Events",
        inspect.cleandoc(events.__doc__ or "")
        + "\n\nImport them with `from phimask import events`. Observers are given them in the order of their making.",
        *_classes(_tree(events)),
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
