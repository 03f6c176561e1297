"""A vault in a directory: a folder a run, with the wrapped key and a file for each part, only ever appended to.

A file begins with a line that says whose it is; then come segments, each behind a head of fixed size with a checksum.
What a killed writer left unfinished can only stand at a file's end, and is told apart from what was changed later.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import struct
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from phimask.errors import VaultError
from phimask.vault.sealing import FORMAT, TAG_BYTES, Part, Segment, WrappedKey
from phimask.vault.storing import Damaged, Storage, brief, cannot_keep, checked_run

_KEY_FILE: Final = "key.json"
_SUFFIX: Final = ".segments"
_LONGEST_LINE: Final = 4096
_HEAD: Final = struct.Struct("<QQII?")
"""Position, batch, sequence, sealed bytes, last; then comes the CRC-32 of these."""
_CHECK: Final = struct.Struct("<I")
_HEAD_BYTES: Final = _HEAD.size + _CHECK.size
_KEY_PATIENCE: Final = 2.0
"""Seconds to wait for somebody else to finish writing the key."""
_MOST_SEALED: Final = 64 << 20


class DirectoryStorage(Storage):
    """A run's folder in the vault's directory. On POSIX systems only its owner can look into it."""

    def __init__(self, root: Path, run: str) -> None:
        self._root = root
        self._run = checked_run(run)
        self._folder = root / run
        self._open: tuple[Part, int] | None = None
        self.where = f"the vault {root}"

    def read_key(self) -> WrappedKey | None:
        """The run's wrapped key; None where there is none. Raises VaultError."""
        until = time.monotonic() + _KEY_PATIENCE
        while True:
            try:
                text = (self._folder / _KEY_FILE).read_text(encoding="utf-8")
            except (FileNotFoundError, NotADirectoryError):
                return None
            except (OSError, UnicodeDecodeError) as error:
                why = getattr(error, "strerror", None) or "it is no text"
                raise VaultError(f"{self._folder / _KEY_FILE} cannot be read: {why}") from None
            key = self._parsed(text)
            if key is not None:
                return key
            if time.monotonic() > until:
                raise VaultError(
                    f"{self._folder / _KEY_FILE} is no wrapped key: it was damaged or never finished; put it back from "
                    "a backup, or, if the run has not begun, remove the folder"
                )
            time.sleep(0.05)

    def _parsed(self, text: str) -> WrappedKey | None:
        try:
            kept = json.loads(text)
            key = WrappedKey(
                str(kept["run"]),
                str(kept["key_fingerprint"]),
                base64.b64decode(kept["wrapped"], validate=True),
                int(kept["format"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return None
        return key

    def create_key(self, key: WrappedKey) -> bool:
        """Store it, synced; false where the run has one already. Raises VaultError."""
        kept = {
            "format": key.format,
            "run": key.run,
            "key_fingerprint": key.key_fingerprint,
            "wrapped": base64.b64encode(key.wrapped).decode(),
        }
        try:
            for folder in (self._root, self._folder):
                folder.mkdir(mode=0o700, exist_ok=True)
                _sync_directory(folder.parent)
            file = _create(self._folder / _KEY_FILE)
        except FileExistsError:
            if self._root.is_dir() and self._folder.is_dir():
                return False
            raise VaultError(f"{self.where} is no directory; name one under undo.vault") from None
        except OSError as error:
            with contextlib.suppress(OSError):
                self._folder.rmdir()
            raise VaultError(f"{self.where} cannot be written to: {_why(error)}") from None
        try:
            _write(file, json.dumps(kept).encode() + b"\n")
            _sync(file)
            _sync_directory(self._folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                (self._folder / _KEY_FILE).unlink()
                self._folder.rmdir()
            raise VaultError(f"{self.where} cannot be written to: {_why(error)}") from None
        finally:
            os.close(file)
        return True

    def begin(self, namespace: str, partition: int, fence: int) -> Part:
        """A new part, which nobody else appends to. Raises SafeStop."""
        self.close()
        part = Part(namespace, partition, fence, 0)
        while True:
            try:
                file = _create(self._path(part))
                break
            except FileExistsError:
                part = Part(namespace, partition, fence, part.number + 1)
            except OSError as error:
                raise cannot_keep(self.where, _why(error)) from None
        self._open = part, file
        try:
            _write(file, json.dumps(self._line(part)).encode() + b"\n")
            _sync_directory(self._folder)
        except OSError as error:
            self.close()
            raise cannot_keep(self.where, _why(error)) from None
        return part

    def append(self, part: Part, segments: Iterable[Segment]) -> None:
        """Add these to the part begun last. Raises SafeStop."""
        if self._open is None or self._open[0] != part:
            raise ValueError("only the part that was begun last can be appended to")
        file = self._open[1]
        try:
            for one in segments:
                head = _HEAD.pack(one.position, one.batch, one.sequence, len(one.sealed), one.last)
                _write(file, head + _CHECK.pack(zlib.crc32(head)) + one.sealed)
            _sync(file)
        except OSError as error:
            self.close()
            raise cannot_keep(self.where, _why(error)) from None

    def parts(self, damage: list[str]) -> list[Part]:
        """All parts that are as they were written, sorted; files that are not are told in `damage`. Raises OSError."""
        found = []
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            try:
                with path.open("rb") as file:
                    part = self._whose(path, file)
            except Damaged as error:
                damage.append(str(error))
                continue
            if part is not None:
                found.append(part)
        return sorted(found)

    def _whose(self, path: Path, file: IO[bytes]) -> Part | None:
        """The part that the file's first line names; None where a killed writer left no whole line."""
        line = file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
            return None
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            kept: Mapping[str, Any] = json.loads(line)
            part = Part(kept["namespace"], kept["partition"], kept["fence"], kept["number"])
            if kept == self._line(part) and path == self._path(part):
                return part
        raise Damaged(f"{path}: its first line is not what was written there, or it is another file's")

    def segments(self, part: Part) -> Iterator[Segment]:
        """A part's segments in order. Raises Damaged."""
        path = self._path(part)
        position = 0
        with path.open("rb") as file:
            file.readline(_LONGEST_LINE)
            while head := file.read(_HEAD_BYTES):
                if len(head) < _HEAD_BYTES or not any(head):
                    return  # the file's length was written, its content was not
                (check,) = _CHECK.unpack_from(head, _HEAD.size)
                at, batch, sequence, size, last = _HEAD.unpack_from(head)
                if check != zlib.crc32(head[: _HEAD.size]) or size > _MOST_SEALED:
                    raise Damaged(f"{path}: the head of segment {position} was changed")
                if at != position:
                    raise Damaged(f"{path}: segment {position} is missing")
                sealed = file.read(size)
                if len(sealed) < size or not any(sealed[-TAG_BYTES:]):
                    return
                yield Segment(position, batch, sequence, last, sealed)
                position += 1

    def locate(self, part: Part) -> str:
        """The file's path."""
        return str(self._path(part))

    def destroy_key(self) -> bool:
        """Overwrite and remove the wrapped key; false where there was none."""
        path = self._folder / _KEY_FILE
        try:
            with path.open("r+b", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                for content in (secrets.token_bytes(size), b"\0" * size):
                    file.seek(0)
                    _write(file.fileno(), content)
                    _sync(file.fileno())
            path.unlink()
            _sync_directory(self._folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise VaultError(f"{path} cannot be destroyed: {_why(error)}") from None
        return True

    def delete_segments(self) -> int:
        """Remove all parts, and the run's folder; answers how many parts there were."""
        self.close()
        count = 0
        try:
            for path in list(self._folder.glob(f"*{_SUFFIX}")):
                path.unlink()
                count += 1
            if self._folder.is_dir():
                self._folder.rmdir()
        except OSError as error:
            raise VaultError(f"{self._folder} cannot be removed: {_why(error)}") from None
        return count

    def close(self) -> None:
        """Close the part that is appended to."""
        if self._open is not None:
            with contextlib.suppress(OSError):
                os.close(self._open[1])
            self._open = None

    def _path(self, part: Part) -> Path:
        numbers = f"{part.partition:06d}-{part.fence:04d}-{part.number:02d}"
        return self._folder / f"{brief(part.namespace)}-{numbers}{_SUFFIX}"

    def _line(self, part: Part) -> dict[str, Any]:
        return {
            "phimask_vault": FORMAT,
            "run": self._run,
            "namespace": part.namespace,
            "partition": part.partition,
            "fence": part.fence,
            "number": part.number,
        }


def _create(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return os.open(path, flags, 0o600)


def _write(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _sync(file: int) -> None:
    """Down to the disk. On macOS fsync stops at the drive's cache, and F_FULLFSYNC goes on (fsync(2) there)."""
    try:
        import fcntl  # noqa: PLC0415  (POSIX only)

        fcntl.fcntl(file, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]
    except (ImportError, AttributeError, OSError):
        os.fsync(file)


def _sync_directory(folder: Path) -> None:
    """A new name too is only there for certain once its directory is; Windows has no such call."""
    if os.name != "posix":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _why(error: OSError) -> str:
    return error.strerror or type(error).__name__
