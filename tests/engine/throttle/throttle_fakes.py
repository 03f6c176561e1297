"""What the throttle's tests put in the place of a clock and of parts of a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Admin:
    """The database `admin`, with some commands answered otherwise: by a reply, or by an error's code."""

    def __init__(self, real: Any, answers: Mapping[str, Any]) -> None:
        self._real = real
        self._answers = answers
        self.asked: list[str] = []

    def command(self, command: Any) -> Any:
        name = command if isinstance(command, str) else next(iter(command))
        self.asked.append(name)
        if name not in self._answers:
            return self._real.command(command)
        answer = self._answers[name]
        if isinstance(answer, int):
            raise OperationFailure("not authorized on admin to execute command {Zebulon}", answer)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Client:
    """A client whose deployment answers some commands otherwise, and has some other collections."""

    def __init__(
        self,
        real: MongoClient[dict[str, Any]] | None,
        answers: Mapping[str, Any],
        collections: Mapping[tuple[str, str], Any] | None = None,
    ) -> None:
        self._real = real
        self._collections = collections or {}
        self.admin = Admin(None if real is None else real.admin, answers)

    def __getitem__(self, database: str) -> Any:
        return {name: found for (of, name), found in self._collections.items() if of == database}


class Documents:
    """A collection that is only read, whole; or that may not be, by an error's code."""

    def __init__(self, documents: list[dict[str, Any]] | int) -> None:
        self._documents = documents

    def find(self, *asked: Any) -> list[dict[str, Any]]:
        if isinstance(self._documents, int):
            raise OperationFailure("not authorized on config", self._documents)
        return self._documents
