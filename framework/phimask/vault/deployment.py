"""A vault in a MongoDB deployment: a document for the key, one for each part, and one for each segment.

Documents stay far below the 16 MiB that MongoDB allows, however large a batch is. Everything is written with majority
concern, journalled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from bson.binary import Binary
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from phimask.config.model import Secret
from phimask.errors import VaultError
from phimask.store.connect import connect, hosts
from phimask.store.retry import classify, error_name
from phimask.vault.sealing import Part, Segment, WrappedKey
from phimask.vault.storing import Damaged, Storage, brief, cannot_keep, checked_run

DEFAULT_DATABASE: Final = "phimask_vault"
"""Where the connection string names no database."""

_MAJORITY_SECONDS: Final = 20
_AT_ONCE: Final = 8 << 20
"""Sealed bytes sent in one insert."""

_Documents = Collection[dict[str, Any]]


class DeploymentStorage(Storage):
    """A run's documents in the deployment's database. Raises PreflightError where it is out of reach."""

    def __init__(self, uri: Secret, run: str) -> None:
        self._run = checked_run(run)
        self.where = f"the vault at {hosts(uri)}"
        self._client = connect(uri)
        self._database = parse_uri(uri.reveal(), validate=False, warn=False)["database"] or DEFAULT_DATABASE

    def read_key(self) -> WrappedKey | None:
        """The run's wrapped key; None where there is none. Raises VaultError."""
        try:
            kept = self._collection("keys").find_one({"_id": self._run})
        except PyMongoError as error:
            raise VaultError(f"{self.where} cannot be read: MongoDB answered {error_name(error)}") from None
        if kept is None:
            return None
        try:
            return WrappedKey(
                kept["run"], kept["key_fingerprint"], bytes(kept["wrapped"]), int(kept["format"])
            )
        except (KeyError, TypeError, ValueError):
            raise VaultError(
                f"the key of run {self._run} in {self.where} is not what was written there"
            ) from None

    def create_key(self, key: WrappedKey) -> bool:
        """Store it; false where the run has one already. Raises VaultError."""
        kept = {
            "_id": self._run,
            "format": key.format,
            "run": key.run,
            "key_fingerprint": key.key_fingerprint,
            "wrapped": Binary(key.wrapped),
        }
        try:
            self._collection("keys").insert_one(kept)
        except DuplicateKeyError:
            return False
        except PyMongoError as error:
            raise VaultError(
                f"{self.where} cannot be written to: MongoDB answered {error_name(error)}"
            ) from None
        return True

    def begin(self, namespace: str, partition: int, fence: int) -> Part:
        """A new part, which nobody else appends to. Raises SafeStop, and PyMongo's transient errors."""
        part = Part(namespace, partition, fence, 0)
        while True:
            try:
                self._collection("parts").insert_one({"_id": self._name(part), **_fields(part)})
            except DuplicateKeyError:
                part = Part(namespace, partition, fence, part.number + 1)
            except PyMongoError as error:
                raise self._refused(error) from None
            else:
                return part

    def append(self, part: Part, segments: Iterable[Segment]) -> None:
        """Add these to a part. Raises SafeStop, and PyMongo's transient errors."""
        held: list[dict[str, Any]] = []
        size = 0
        for one in segments:
            held.append(
                {
                    "_id": f"{self._name(part)}/{one.position:012d}",
                    "position": one.position,
                    "batch": one.batch,
                    "sequence": one.sequence,
                    "last": one.last,
                    "sealed": Binary(one.sealed),
                }
            )
            size += len(one.sealed)
            if size >= _AT_ONCE:
                self._insert(held)
                held, size = [], 0
        if held:
            self._insert(held)

    def _insert(self, segments: list[dict[str, Any]]) -> None:
        try:
            self._collection("segments").insert_many(segments)
        except PyMongoError as error:
            raise self._refused(error) from None

    def _refused(self, error: PyMongoError) -> Exception:
        return error if classify(error) == "transient" else cannot_keep(self.where, error_name(error))

    def parts(self, damage: list[str]) -> list[Part]:
        """All parts that are as they were written, sorted; what is not is told in `damage`. Raises VaultError."""
        found = []
        for kept in self._read("parts", self._run):
            with suppress(KeyError, TypeError, ValueError):
                part = Part(kept["namespace"], kept["partition"], kept["fence"], kept["number"])
                if kept["_id"] == self._name(part):
                    found.append(part)
                    continue
            damage.append(f"{self.where}: the part {kept['_id']} is not what was written there")
        return sorted(found)

    def segments(self, part: Part) -> Iterator[Segment]:
        """A part's segments in order. Raises Damaged."""
        for position, kept in enumerate(self._read("segments", self._name(part))):
            segment = _segment(kept)
            if segment is None:
                raise Damaged(f"{self.locate(part)}: segment {position} is not what was written there")
            if segment.position != position:
                raise Damaged(f"{self.locate(part)}: segment {position} is missing")
            yield segment

    def _read(self, collection: str, prefix: str) -> Iterator[Mapping[str, Any]]:
        try:
            yield from self._collection(collection).find(_below(prefix), sort=[("_id", 1)], hint=[("_id", 1)])
        except PyMongoError as error:
            raise VaultError(f"{self.where} cannot be read: MongoDB answered {error_name(error)}") from None

    def locate(self, part: Part) -> str:
        """Which documents."""
        return f"{self.where}, {self._database}.vault_segments, _id {self._name(part)}/..."

    def destroy_key(self) -> bool:
        """Overwrite and remove the wrapped key; false where there was none."""
        keys = self._collection("keys")
        try:
            keys.update_one({"_id": self._run}, {"$set": {"wrapped": Binary(b"")}})
            return keys.delete_one({"_id": self._run}).deleted_count == 1
        except PyMongoError as error:
            raise VaultError(
                f"the key in {self.where} cannot be destroyed: MongoDB answered {error_name(error)}"
            ) from None

    def delete_segments(self) -> int:
        """Remove all parts; answers how many there were."""
        try:
            self._collection("segments").delete_many(_below(self._run))
            return self._collection("parts").delete_many(_below(self._run)).deleted_count
        except PyMongoError as error:
            raise VaultError(
                f"{self.where} cannot be emptied: MongoDB answered {error_name(error)}"
            ) from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _name(self, part: Part) -> str:
        numbers = f"{part.partition:012d}/{part.fence:08d}/{part.number:06d}"
        return f"{self._run}/{brief(part.namespace)}/{numbers}"

    def _collection(self, name: str) -> _Documents:
        return self._client[self._database].get_collection(
            f"vault_{name}",
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", j=True, wtimeout=_MAJORITY_SECONDS * 1000),
            read_preference=ReadPreference.PRIMARY,
        )


def _fields(part: Part) -> dict[str, Any]:
    return {
        "namespace": part.namespace,
        "partition": part.partition,
        "fence": part.fence,
        "number": part.number,
    }


def _segment(kept: Mapping[str, Any]) -> Segment | None:
    """None where it is not what was written there."""
    try:
        found = Segment(
            kept["position"], kept["batch"], kept["sequence"], kept["last"], bytes(kept["sealed"])
        )
    except (KeyError, TypeError):
        return None
    numbers = (found.position, found.batch, found.sequence)
    as_written = all(type(one) is int and one >= 0 for one in numbers) and type(found.last) is bool
    return found if as_written else None


def _below(prefix: str) -> dict[str, Any]:
    """The `_id`s that go on behind the prefix with a slash, whose next character is 0."""
    return {"_id": {"$gt": f"{prefix}/", "$lt": f"{prefix}0"}}
