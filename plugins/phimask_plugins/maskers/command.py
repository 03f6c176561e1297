"""command: a program of the user's masks the values."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from bson import json_util
from bson.codec_options import DatetimeConversion

from phimask import FAILED, Column, Masker, StoreError
from phimask_plugins.maskers.line_process import LineProcess, NotStartedError, ProcessFailedError
from phimask_plugins.maskers.scalars import ALIASES, SCALARS, is_text, widened

_FAILURES: Final = 5
"""The column in a row without an answer at which the program is given up."""
_LEAST_ANSWER: Final = 1_000_000
_GROWTH: Final = 16
"""An answer may be so many times as long as its question."""
_JSON: Final = json_util.JSONOptions(
    json_mode=json_util.JSONMode.RELAXED, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


class Command(Masker):
    """Hands the values of a batch to a program, in any language, and takes its masks: a line of JSON in, a line of
    JSON out, for as long as the run lasts.

    The program reads `{"path": "Patient.Name", "values": [...]}` from its standard input and writes
    `{"values": [...]}` to its standard output, as many values in the same order, and flushes. Types that JSON does
    not have are in MongoDB Extended JSON v2, relaxed format. A value comes back in its own type; null means that it
    could not be masked. The program is started directly, no shell, when values come, and given neither a key nor a
    connection. What it writes to standard error is thrown away, since that may hold values.

    All values of a batch fail if it ends, answers with anything else or does not answer in time; it is then started
    anew. Where it cannot be started, or that happens a fifth time in a row, the run ends and can be resumed. Equal
    values must get equal masks, or collections do not fit together and a resumed run finds masks it did not expect.

    Source: JSON Lines (https://jsonlines.org) and MongoDB Extended JSON v2.
    """

    name = "command"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["command"],
        "properties": {
            "command": {
                "type": "array",
                "minItems": 1,
                "items": {"type": "string", "minLength": 1},
                "description": "The program and its arguments, each an item of its own.",
            },
            "timeout": {
                "type": ["string", "number"],
                "format": "duration",
                "default": "30s",
                "description": "How long the answer for a batch may take.",
            },
            "environment": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "default": [],
                "description": "Environment variables that the program is given besides PATH, HOME and the like.",
            },
            "may_keep": {
                "type": "boolean",
                "default": False,
                "description": "Let a value stay as it is where the program says so; else it fails.",
            },
        },
    }
    types = SCALARS
    long_columns = True
    changes: Literal["always", "maybe"] = "always"

    def __init__(self, options: Mapping[str, Any], key: bytes | None = None) -> None:
        """Raises ValueError if there is no such program."""
        super().__init__(options, key)
        command: list[str] = list(options["command"])
        program = shutil.which(command[0])
        if program is None:
            raise ValueError(f"there is no program {command[0]} to run")
        self._seconds: float = options.get("timeout", 30.0)
        self._process = LineProcess([program, *command[1:]], options.get("environment", ()))
        self._failures = 0
        if options.get("may_keep", False):
            self.changes = "maybe"

    def mask(self, column: Column) -> list[Any]:
        """The program's answers.

        Raises StoreError, which ends the run, where there is no program to give any: that is no value's fault.
        """
        results = list(column.values)
        asked = [place for place, value in enumerate(results) if not (type(value) is str and not value)]
        if not asked:
            return results
        answers = self._answers(column.path, [results[place] for place in asked])
        for place, answer in zip(asked, answers, strict=True):
            results[place] = self._accepted(results[place], answer)
        return results

    def _answers(self, path: str, values: list[Any]) -> list[Any]:
        try:
            line = json_util.dumps({"path": path, "values": values}, json_options=_JSON).encode()
            answer = self._process.ask(line, self._seconds, max(_LEAST_ANSWER, _GROWTH * len(line)))
            answers = json_util.loads(answer.decode(), json_options=_JSON)["values"]
            if not isinstance(answers, list) or len(answers) != len(values):
                raise ProcessFailedError("the command gave another count of values")
        except NotStartedError:
            raise StoreError(
                "the program of the masker command does not start; see to it, and resume"
            ) from None
        except ProcessFailedError:
            pass
        except Exception:  # noqa: BLE001  (whatever a foreign answer makes a parser raise; its message holds values)
            self._process.close()
        else:
            self._failures = 0
            return answers
        self._failures += 1
        if self._failures >= _FAILURES:
            raise StoreError(
                f"the program of the masker command gave no sound answer {_FAILURES} times in a row; "
                "see to it, and resume"
            )
        return [FAILED] * len(values)

    def _accepted(self, value: Any, answer: Any) -> Any:
        """An answer in the value's own type; FAILED for any other."""
        kind = type(value)
        if kind is float and type(answer) is int:
            answer = float(answer)  # many languages write 1.0 as 1
        elif type(answer) is int:
            answer = widened(value, answer)
        if ALIASES.get(type(answer)) != ALIASES.get(kind) or (kind is str and not is_text(answer)):
            return FAILED
        if self.changes == "always" and answer == value:
            return FAILED
        return answer
