"""Where sealed segments lie: the interface that a directory and a MongoDB deployment both keep."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Final

from phimask.errors import SafeStop, VaultError
from phimask.vault.sealing import Part, Segment, WrappedKey

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Damaged(Exception):
    """A stored part is not as it was written; reading it ends here."""


class Storage(ABC):
    """One run's key and segments. `where` names the vault in messages, with no credential in it."""

    where: str

    @abstractmethod
    def read_key(self) -> WrappedKey | None:
        """The run's wrapped key; None where there is none. Raises VaultError."""

    @abstractmethod
    def create_key(self, key: WrappedKey) -> bool:
        """Store it, synced; false where the run has one already. Raises VaultError."""

    @abstractmethod
    def begin(self, namespace: str, partition: int, fence: int) -> Part:
        """A new part, which nobody else appends to. Raises SafeStop."""

    @abstractmethod
    def append(self, part: Part, segments: Iterable[Segment]) -> None:
        """Add these to a part, synced when it returns; after an error the part is not appended to again.

        Raises SafeStop where the vault is full or gone, and PyMongo's transient errors.
        """

    @abstractmethod
    def parts(self, damage: list[str]) -> list[Part]:
        """All parts that are as they were written, sorted; what is not is told in `damage`. Raises VaultError and
        OSError."""

    @abstractmethod
    def segments(self, part: Part) -> Iterator[Segment]:
        """A part's segments in order. One that was not written to its end is left out. Raises Damaged."""

    @abstractmethod
    def locate(self, part: Part) -> str:
        """Where a part lies, for a person who has to look."""

    @abstractmethod
    def destroy_key(self) -> bool:
        """Overwrite and remove the wrapped key; false where there was none."""

    @abstractmethod
    def delete_segments(self) -> int:
        """Remove all parts; answers how many there were."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""


def checked_run(run: str) -> str:
    """The run's id, if it can be one: it becomes part of names. Raises VaultError."""
    if not _RUN_ID.fullmatch(run):
        raise VaultError("this is no run's id: letters, digits, dots, dashes and underscores make one")
    return run


def brief(namespace: str) -> str:
    """A namespace, shortened to what any file system takes."""
    return hashlib.sha256(namespace.encode()).hexdigest()[:16]


def cannot_keep(where: str, why: str) -> SafeStop:
    """What to raise where originals cannot be stored."""
    return SafeStop(
        f"{where} cannot keep the originals ({why}), so the batch was not written; make room or put the vault back, "
        "and go on with `phimask resume`"
    )
