"""What happens to a vault from outside: bytes flipped, files cut, moved and gone, disks full. All of it is noticed."""

from __future__ import annotations

import errno
import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from bson.binary import Binary
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure
from vault_samples import KEY, RUN, everything, place, whole

from phimask.config.model import Secret
from phimask.errors import PhimaskError, SafeStop, VaultError
from phimask.vault import directory
from phimask.vault.contents import read, survey
from phimask.vault.vault import Vault, VaultSetting, open_vault


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A vault of three batches in one file, the second in two segments, and one batch of another partition."""
    with open_vault(tmp_path / "vault", RUN, KEY, create=True) as vault:
        vault.keep(place(1), [whole(1, 100)])
        vault.keep(place(2), [whole(2, 5 << 20)])
        vault.keep(place(3), [whole(3, 100)])
        vault.keep(place(1, partition=1), [whole(4, 100)])
    return tmp_path / "vault"


def opened(folder: Path) -> Vault:
    return open_vault(folder, RUN, KEY, create=False)


def files(folder: Path) -> list[Path]:
    return sorted((folder / RUN).glob("*.segments"))


def batches(folder: Path) -> list[int]:
    with opened(folder) as vault:
        return [copy.batch for copy in survey(vault).copies["ehr.people", 0]]


def damage(folder: Path) -> list[str]:
    with opened(folder) as vault:
        return survey(vault).damage


def test_the_vault_is_whole_to_begin_with(folder: Path) -> None:
    assert damage(folder) == []
    assert batches(folder) == [1, 2, 3]


def test_a_flipped_byte_anywhere_is_noticed(folder: Path) -> None:
    large, file = files(folder)
    large.unlink()
    assert damage(folder) == []
    raw = file.read_bytes()
    for at in range(len(raw)):
        file.write_bytes(raw[:at] + bytes((raw[at] ^ 0x10,)) + raw[at + 1 :])
        with opened(folder) as vault:
            contents = survey(vault)
            assert contents.damage or contents.missing({("ehr.people", 1): 1}), f"byte {at}"


def test_flipped_bytes_of_a_large_file_are_named(folder: Path) -> None:
    file = files(folder)[0]
    raw = bytearray(file.read_bytes())
    chance = random.Random(5)
    for _ in range(20):
        at = chance.randrange(1000, len(raw) - 1000)
        raw[at] ^= 0x80
        file.write_bytes(raw)
        raw[at] ^= 0x80
        (said,) = damage(folder)
        assert said.startswith(f"{file}: segment ")
        assert "(batch 2 of ehr.people, partition 0, fence 1, part 0) does not open" in said


def test_a_file_cut_short_lacks_batches(folder: Path) -> None:
    file = files(folder)[0]
    raw = file.read_bytes()
    seen: set[tuple[int, ...]] = set()
    for at in (len(raw) - 1, len(raw) - 50, len(raw) - 300, len(raw) // 2, 300, 150, 10, 0):
        file.write_bytes(raw[:at])
        with opened(folder) as vault:
            contents = survey(vault)
        there = tuple(copy.batch for copy in contents.copies.get(("ehr.people", 0), ()))
        assert contents.missing({("ehr.people", 0): 3})
        seen.add(there)
    assert seen == {(1, 2), (1,), ()}


def test_zeros_at_the_end_are_what_a_power_failure_leaves(folder: Path) -> None:
    file = files(folder)[0]
    with file.open("ab") as end:
        end.write(bytes(5000))
    assert damage(folder) == []
    assert batches(folder) == [1, 2, 3]


def segments(file: Path) -> tuple[bytes, list[bytes]]:
    """The file's line, and its segments with their heads."""
    line, _, rest = file.read_bytes().partition(b"\n")
    found = []
    while rest:
        size = directory._HEAD_BYTES + directory._HEAD.unpack_from(rest)[3]
        found.append(rest[:size])
        rest = rest[size:]
    return line + b"\n", found


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([0, 2, 3], "segment 1 is missing"),
        ([1, 2, 3], "segment 0 is missing"),
        ([0, 2, 1, 3], "segment 1 is missing"),
        ([0, 1, 2, 2, 3], "segment 3 is missing"),
        ([0, 1, 2, 0], "segment 3 is missing"),
    ],
)
def test_segments_taken_out_and_exchanged(folder: Path, order: list[int], said: str) -> None:
    file = files(folder)[0]
    line, parts = segments(file)
    file.write_bytes(line + b"".join(parts[at] for at in order))
    assert damage(folder) == [f"{file}: {said}"]


def test_a_segment_under_another_number_does_not_open(folder: Path) -> None:
    file = files(folder)[0]
    line, parts = segments(file)
    swapped = parts[0][: directory._HEAD_BYTES] + parts[3][directory._HEAD_BYTES :]
    file.write_bytes(line + swapped + b"".join(parts[1:]))
    assert len(parts[0]) == len(parts[3])
    (said,) = damage(folder)
    assert "segment 0 (batch 1 of ehr.people" in said


def test_a_first_line_that_is_nested_too_deep(folder: Path) -> None:
    file = files(folder)[0]
    file.write_bytes(b"[" * 4000 + b"\n" + file.read_bytes().partition(b"\n")[2])
    assert damage(folder) == [
        f"{file}: its first line is not what was written there, or it is another file's"
    ]


def test_a_file_in_anothers_place(folder: Path) -> None:
    first, second = files(folder)
    shutil.copy(second, first)
    (said,) = damage(folder)
    assert said == f"{first}: its first line is not what was written there, or it is another file's"
    with opened(folder) as vault:
        assert list(survey(vault).copies) == [("ehr.people", 1)]  # the other file is as it was


@pytest.mark.parametrize("what", ["folder", "loop"])
def test_a_file_that_cannot_be_read(folder: Path, what: str) -> None:
    first = files(folder)[0]
    first.unlink()
    if what == "folder":
        first.mkdir()
    elif os.name == "posix":
        first.symlink_to(first)
    else:
        pytest.skip("POSIX links")
    with opened(folder) as vault, pytest.raises(VaultError, match="cannot be read") as told:
        survey(vault)
    assert str(first) in str(told.value)


def test_another_partitions_segments_behind_a_files_line(folder: Path) -> None:
    first, second = files(folder)
    line, parts = segments(first)
    _, others = segments(second)
    first.write_bytes(line + others[0] + b"".join(parts[1:]))
    (said,) = damage(folder)
    assert "segment 0 (batch 1" in said


def test_a_file_of_an_earlier_time(folder: Path) -> None:
    file = files(folder)[0]
    line, parts = segments(file)
    file.write_bytes(line + b"".join(parts[:3]))
    with opened(folder) as vault:
        (said,) = survey(vault).missing({("ehr.people", 0): 3})
    assert "(batch 3)" in said


def test_nothing_comes_out_of_a_segment_that_was_changed_after_the_survey(folder: Path) -> None:
    file = files(folder)[0]
    with opened(folder) as vault:
        copies = survey(vault).copies["ehr.people", 0]
        raw = bytearray(file.read_bytes())
        raw[-1] ^= 1
        file.write_bytes(raw)
        came: list[int] = []
        with pytest.raises(PhimaskError, match=r"changed while it was read: .* segment 3 \(batch 3"):
            came.extend(copy.batch for copy, found in read(vault, copies) for _ in found)
    assert came == [1, 2]


def test_a_file_gone_after_the_survey(folder: Path) -> None:
    with opened(folder) as vault:
        copies = survey(vault).copies["ehr.people", 0]
        files(folder)[0].unlink()
        with pytest.raises(PhimaskError, match="cannot be read"):
            list(chain.from_iterable(found for _, found in read(vault, copies)))


NO_KEYS = {
    "empty": "",
    "cut short": "{",
    "a list": "[]",
    "incomplete": '{"run": 1}',
    "no UTF-8": "\xff",
    "no base64": '{"wrapped": "!"}',
    "nested": "[" * 5000,
    "beyond all formats": '{"run": "", "key_fingerprint": "", "wrapped": "", "format": Infinity}',
}


@pytest.mark.parametrize("text", NO_KEYS.values(), ids=NO_KEYS)
def test_a_key_file_that_is_none(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "_KEY_PATIENCE", 0.0)
    (folder / RUN / "key.json").write_text(text, encoding="latin-1")
    for create in (True, False):
        with pytest.raises(VaultError, match=r"key\.json (is no wrapped key|cannot be read)"):
            open_vault(folder, RUN, KEY, create=create)


def test_a_key_of_another_run(folder: Path) -> None:
    with open_vault(folder, "other", KEY, create=True):
        shutil.copy(folder / "other" / "key.json", folder / RUN / "key.json")
    with pytest.raises(VaultError, match="was tampered with"):
        opened(folder)


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_only_its_owner_can_look_into_it(folder: Path) -> None:
    for path in (folder, folder / RUN):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (folder / RUN).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_of_a_document_lies_open(folder: Path) -> None:
    with opened(folder) as vault:
        vault.keep(
            place(9), [whole(1, 0).__class__(whole(1, 0).identity, True, b"Quillfeather" * 50, bytes(16))]
        )
    assert all(b"Quill" not in path.read_bytes() for path in (folder / RUN).iterdir())


def test_the_key_is_overwritten_before_it_is_unlinked(folder: Path) -> None:
    kept = folder / "another-name"
    os.link(folder / RUN / "key.json", kept)
    before = kept.read_bytes()
    with opened(folder) as vault:
        assert vault.storage.destroy_key()
    assert kept.read_bytes() == bytes(len(before))
    assert not (folder / RUN / "key.json").exists()


@contextmanager
def full_disk(monkeypatch: pytest.MonkeyPatch, room: int) -> Iterator[None]:
    """Writing works for so many bytes more."""
    left = room
    really = os.write

    def write(file: int, content: bytes) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = really(file, bytes(content)[:left])
        left -= taken
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(directory.os, "write", write)
        yield


@pytest.mark.parametrize("room", [0, 20, 200, 5000])
def test_a_full_disk_stops_safely_and_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    with opened(folder) as vault:
        vault.keep(place(4), [whole(4, 100)])
        with full_disk(monkeypatch, room), pytest.raises(SafeStop, match="cannot keep the originals"):
            vault.keep(place(5), [whole(5, 10_000)])
        vault.keep(place(5), [whole(5, 10_000)])
    with opened(folder) as vault:
        assert [batch for batch, _ in everything(vault)] == [1, 2, 3, 4, 5, 1]


@pytest.mark.parametrize("room", [0, 20])
def test_a_full_disk_at_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    with full_disk(monkeypatch, room), pytest.raises(VaultError, match="cannot be written to"):
        open_vault(tmp_path / "vault", RUN, KEY, create=True)
    with open_vault(tmp_path / "vault", RUN, KEY, create=True) as vault:
        assert everything(vault) == []


@pytest.mark.skipif(os.name != "posix", reason="elsewhere nobody moves what is open")
def test_a_vault_that_goes_away(folder: Path) -> None:
    with opened(folder) as vault:
        shutil.move(folder, folder.parent / "elsewhere")
        with pytest.raises(SafeStop, match="cannot keep the originals"):
            vault.keep(place(4), [whole(4, 100)])


def test_what_syncing_refuses_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with opened(folder) as vault:
        with monkeypatch.context() as patch:
            patch.setattr(directory, "_sync", fail)
            with pytest.raises(SafeStop, match="cannot keep the originals"):
                vault.keep(place(4), [whole(4, 100)])
        vault.keep(place(4), [whole(4, 100)])
        assert [batch for batch, _ in everything(vault)].count(4) == 2


Documents = Collection[dict[str, Any]]


@pytest.fixture
def deployed(client: MongoClient[dict[str, Any]], mongo_uri: str) -> Iterator[tuple[VaultSetting, Documents]]:
    """A vault of three batches in a deployment, the second in two segments, and its segments."""
    server, _, options = mongo_uri.partition("/?")
    setting = Secret(f"{server.rstrip('/')}/vault_damage?{options}")
    client.drop_database("vault_damage")
    with open_vault(setting, RUN, KEY, create=True) as vault:
        vault.keep(place(1), [whole(1, 100)])
        vault.keep(place(2), [whole(2, 5 << 20)])
        vault.keep(place(3), [whole(3, 100)])
    yield setting, client["vault_damage"]["vault_segments"]
    client.drop_database("vault_damage")


def flip(kept: dict[str, Any]) -> dict[str, Any]:
    raw = bytearray(kept["sealed"])
    raw[len(raw) // 2] ^= 1
    return {"sealed": Binary(bytes(raw))}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flip, "segment 1 (batch 2 of ehr.people, partition 0, fence 1, part 0) does not open"),
        (lambda kept: {"batch": 1}, "segment 1 (batch 1"),
        (lambda kept: {"position": 5}, "segment 1 is missing"),
        (lambda kept: {"sealed": "text"}, "segment 1 is not what was written there"),
        (lambda kept: {"sealed": None}, "segment 1 is not what was written there"),
        (lambda kept: {"sealed": Binary(b"")}, "segment 1 (batch 2"),
        (lambda kept: {"batch": -1}, "segment 1 is not what was written there"),
        (lambda kept: {"last": 1}, "segment 1 is not what was written there"),
        (lambda kept: {"last": True}, "segment 1 (batch 2"),
    ],
)
def test_documents_changed_in_a_deployment(
    deployed: tuple[VaultSetting, Documents], change: Callable[[dict[str, Any]], dict[str, Any]], said: str
) -> None:
    setting, kept = deployed
    one = kept.find_one({"position": 1})
    assert one is not None
    kept.update_one({"_id": one["_id"]}, {"$set": change(one)})
    with open_vault(setting, RUN, KEY, create=False) as vault:
        contents = survey(vault)
    assert said in contents.damage[0]


def test_documents_gone_from_a_deployment(deployed: tuple[VaultSetting, Documents]) -> None:
    setting, kept = deployed
    kept.delete_one({"position": 3})
    with open_vault(setting, RUN, KEY, create=False) as vault:
        contents = survey(vault)
        assert contents.damage == []
        assert "(batch 3)" in contents.missing({("ehr.people", 0): 3})[0]
    kept.delete_one({"position": 1})
    with open_vault(setting, RUN, KEY, create=False) as vault:
        assert "segment 1 is missing" in survey(vault).damage[0]


@pytest.mark.parametrize(("code", "raised"), [(14031, SafeStop), (112, OperationFailure)])
def test_inserts_that_fail(
    deployed: tuple[VaultSetting, Documents],
    client: MongoClient[dict[str, Any]],
    code: int,
    raised: type[Exception],
) -> None:
    setting, _ = deployed
    fail = {"failCommands": ["insert"], "namespace": "vault_damage.vault_segments"}
    with open_vault(setting, RUN, KEY, create=False) as vault:
        vault.keep(place(4), [whole(4, 100)])
        client.admin.command(
            "configureFailPoint", "failCommand", mode={"times": 1}, data={**fail, "errorCode": code}
        )
        try:
            with pytest.raises(raised):
                vault.keep(place(5), [whole(5, 100)])
        finally:
            client.admin.command("configureFailPoint", "failCommand", mode="off")
        vault.keep(place(5), [whole(5, 100)])
        assert [batch for batch, _ in everything(vault)] == [1, 2, 3, 4, 5]


def test_a_key_that_is_none_in_a_deployment(
    deployed: tuple[VaultSetting, Documents], client: MongoClient[dict[str, Any]]
) -> None:
    setting, _ = deployed
    client["vault_damage"]["vault_keys"].update_one({"_id": RUN}, {"$set": {"wrapped": Binary(b"x" * 60)}})
    with pytest.raises(VaultError, match="was tampered with"):
        open_vault(setting, RUN, KEY, create=False)
    client["vault_damage"]["vault_keys"].update_one({"_id": RUN}, {"$unset": {"wrapped": 1}})
    with pytest.raises(VaultError, match="not what was written there"):
        open_vault(setting, RUN, KEY, create=False)
