"""What phimask answers, against the schemas that it ships."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from phimask.config.data import shipped_schema


@cache
def _validator(kind: str) -> Draft202012Validator:
    schema = shipped_schema(kind)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def conforms(answer: Any, kind: str) -> None:
    """Raises jsonschema.ValidationError. To check the schema itself takes longer than all else, and is done once."""
    _validator(kind).validate(answer)
