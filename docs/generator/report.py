"""The page of the report and its manifest: every field."""

from __future__ import annotations

from generator.markdown import page, schema_rows, table
from phimask.config.data import shipped_schema


def text() -> str:
    """The page."""
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
