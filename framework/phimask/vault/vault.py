"""The vault as the rest of the house sees it: opened for a run, given originals batch by batch, destroyed at last."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from phimask.config.model import Secret
from phimask.errors import VaultError
from phimask.masking.keys import MaskingKey
from phimask.vault.deployment import DeploymentStorage
from phimask.vault.directory import DirectoryStorage
from phimask.vault.records import Original, Place, pieces
from phimask.vault.sealing import DataKey, Part, Segment
from phimask.vault.storing import Storage

VaultSetting: TypeAlias = Path | Secret
"""`undo.vault` of a profile: a directory, or a MongoDB connection string."""


class Vault:
    """One run's vault, for one writer. A context manager that closes it."""

    def __init__(self, storage: Storage, run: str, key: DataKey) -> None:
        self.storage = storage
        self.key = key
        self._run = run
        self._part: Part | None = None
        self._position = 0

    @property
    def where(self) -> str:
        """The vault in messages."""
        return self.storage.where

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def keep(self, place: Place, originals: Sequence[Original]) -> None:
        """Keep a batch's originals; when this returns they are on the disk, and the batch may be written.

        To be called for every batch, also where there is nothing to keep, so that a rollback notices one that is
        missing; and again where a batch is read again. Raises SafeStop where the vault is full or gone, and PyMongo's
        transient errors: the batch must not be written then.
        """
        if place.run != self._run:
            raise ValueError("this vault is another run's")
        part = self._part
        if part is None or (part.namespace, part.partition, part.fence) != (
            place.namespace,
            place.partition,
            place.fence,
        ):
            self._part = None
            part = self.storage.begin(place.namespace, place.partition, place.fence)
            self._position = 0
        self._part = None  # of a part that an error cuts short, nobody knows where it ends
        self.storage.append(part, self._segments(part, place.batch, originals))
        self._part = part

    def _segments(self, part: Part, batch: int, originals: Sequence[Original]) -> Iterator[Segment]:
        sequence = 0
        before: bytes | None = None
        for piece in pieces(originals):
            if before is not None:
                yield self._sealed(part, batch, sequence, last=False, piece=before)
                sequence += 1
            before = piece
        yield self._sealed(part, batch, sequence, last=True, piece=before or b"")

    def _sealed(self, part: Part, batch: int, sequence: int, *, last: bool, piece: bytes) -> Segment:
        position = self._position
        self._position += 1
        return self.key.seal(part, position, batch, sequence, last, piece)

    def close(self) -> None:
        """Let go of files and connections."""
        self.storage.close()


def open_vault(setting: VaultSetting, run: str, key: MaskingKey, *, create: bool) -> Vault:
    """The run's vault. With `create` one is made where there is none.

    Raises VaultError (it is missing, cannot be written to, is sealed under another key, was tampered with) and
    PreflightError where a deployment is out of reach.
    """
    storage = open_storage(setting, run)
    try:
        stored = storage.read_key()
        if stored is None and create:
            damage: list[str] = []
            if storage.parts(damage) or damage:
                raise VaultError(
                    f"{storage.where} holds originals of run {run}, and the key to them is gone; put it back from a "
                    "backup, or give the run up with `phimask finalize`"
                )
            storage.create_key(DataKey.generate(run).wrap(key))
            stored = storage.read_key()  # another's, where it was quicker
        if stored is None:
            raise VaultError(
                f"{storage.where} holds no key of run {run}: the run kept no originals there, or was finalized"
            )
        return Vault(storage, run, DataKey.unwrap(stored, run, key, f"{storage.where}, run {run},"))
    except BaseException:
        storage.close()
        raise


def open_storage(setting: VaultSetting, run: str) -> Storage:
    """Where the run's vault lies, with nothing opened yet. Raises PreflightError."""
    if isinstance(setting, Secret):
        return DeploymentStorage(setting, run)
    return DirectoryStorage(setting, run)
