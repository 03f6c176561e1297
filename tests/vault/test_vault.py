"""What a vault keeps comes back in order, in a directory as in a deployment; what is missing or changed is named."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from vault_samples import KEY, OTHER_KEY, RUN, Opened, everything, originals, place, whole

from phimask.config.model import Secret
from phimask.errors import PreflightError, VaultError
from phimask.store import connect
from phimask.vault.contents import survey
from phimask.vault.records import Original
from phimask.vault.sealing import DataKey
from phimask.vault.vault import VaultSetting, open_storage, open_vault

Keep = Callable[..., None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(originals(), originals())
def test_comes_back_in_order(opened: Opened, first: list[Original], second: list[Original]) -> None:
    vault = opened()
    before = everything(vault)
    vault.keep(place(1), first)
    vault.keep(place(2), second)
    assert everything(opened())[: len(before) + 2].count((1, first)) >= 1
    writer = opened()
    writer.keep(place(1, partition=1 + len(before)), second)
    assert everything(writer)[-1] == (1, second)


def test_batches_larger_than_a_document_may_be(opened: Opened) -> None:
    batch = [whole(number, 15 << 20) for number in range(3)]
    vault = opened()
    vault.keep(place(1), batch)
    vault.keep(place(2), [whole(9, 10)])
    assert everything(opened()) == [(1, batch), (2, [whole(9, 10)])]


def test_a_batch_with_nothing_to_keep_is_noted(keep: Keep, opened: Opened) -> None:
    keep(1)
    keep(2, 5)
    contents = survey(opened())
    assert [copy.batch for copy in contents.copies["ehr.people", 0]] == [1, 2]
    assert contents.missing({("ehr.people", 0): 2}) == []


def test_partitions_and_fences_come_in_order(keep: Keep, opened: Opened) -> None:
    keep(1, 10, partition=1)
    keep(1, 1)
    keep(2, 2)
    keep(2, 20, fence=2)
    keep(3, 30, fence=2)
    found = survey(opened()).copies
    assert [(one.part.fence, one.batch, one.settled) for one in found["ehr.people", 0]] == [
        (1, 1, True),
        (1, 2, False),
        (2, 2, True),
        (2, 3, False),
    ]
    assert [(one.batch, one.settled) for one in found["ehr.people", 1]] == [(1, False)]


def test_a_batch_kept_again_is_not_settled_before(keep: Keep, opened: Opened) -> None:
    keep(1, 1, 2, 3)
    keep(1, 1, 2)
    keep(2, 3)
    found = survey(opened()).copies["ehr.people", 0]
    assert [(one.batch, one.settled) for one in found] == [(1, False), (1, True), (2, False)]


def test_the_same_fence_again_begins_a_part_of_its_own(opened: Opened) -> None:
    for number in range(3):
        opened().keep(place(number + 1), [whole(number, 1)])
    assert [one.part.number for one in survey(opened()).copies["ehr.people", 0]] == [0, 1, 2]


def test_missing_batches_are_named(keep: Keep, opened: Opened) -> None:
    keep(1, 1)
    keep(3, 3)
    (said,) = survey(opened()).missing({("ehr.people", 0): 4})
    assert said == "ehr.people, partition 0: the originals of 2 of its 4 batches are missing (batch 2, 4)"


def test_another_runs_originals_are_not_kept(opened: Opened) -> None:
    with pytest.raises(ValueError, match="another run's"):
        opened().keep(place(1, run="another"), [])


def test_runs_stand_apart(opened: Opened) -> None:
    opened().keep(place(1), [whole(1, 1)])
    opened(run=RUN + "2").keep(place(1, run=RUN + "2"), [whole(2, 1)])
    opened(run=RUN[:-1]).keep(place(1, run=RUN[:-1]), [whole(3, 1)])
    assert everything(opened()) == [(1, [whole(1, 1)])]


def test_no_vault(setting: VaultSetting) -> None:
    with pytest.raises(VaultError, match=f"holds no key of run {RUN}"):
        open_vault(setting, RUN, KEY, create=False)


def test_the_wrong_key(opened: Opened) -> None:
    opened()
    for create in (True, False):
        with pytest.raises(VaultError, match=f"the key given has {OTHER_KEY.fingerprint}"):
            opened(key=OTHER_KEY, create=create)


@pytest.mark.parametrize("run", ["../etc", "", "a/b", ".", "..", "a\\b", "a\0b", "é", "x" * 200])
def test_what_is_no_runs_id(setting: VaultSetting, run: str) -> None:
    with pytest.raises(VaultError, match="no run's id"):
        open_storage(setting, run)


def test_whoever_comes_second_takes_the_key_that_is_there(setting: VaultSetting, opened: Opened) -> None:
    first = opened()
    storage = open_storage(setting, RUN)
    assert not storage.create_key(DataKey.generate(RUN).wrap(KEY))
    storage.close()
    first.keep(place(1), [whole(1, 1)])
    assert everything(opened()) == [(1, [whole(1, 1)])]


def test_a_key_that_is_gone_is_not_made_anew(setting: VaultSetting, opened: Opened) -> None:
    opened().keep(place(1), [whole(1, 1)])
    storage = open_storage(setting, RUN)
    assert storage.destroy_key()
    storage.close()
    with pytest.raises(VaultError, match="the key to them is gone"):
        opened()


def test_destroyed_for_good(setting: VaultSetting, opened: Opened) -> None:
    opened().keep(place(1), [whole(1, 1)])
    opened(run="other").keep(place(1, run="other"), [whole(2, 1)])
    for destroyed, removed in ((True, 1), (False, 0)):
        storage = open_storage(setting, RUN)
        assert storage.destroy_key() is destroyed
        assert storage.delete_segments() == removed
        assert storage.read_key() is None
        assert storage.parts([]) == []
        storage.close()
    assert everything(opened(run="other")) == [(1, [whole(2, 1)])]


def test_settings_go_to_other_processes(setting: VaultSetting, opened: Opened) -> None:
    opened()
    again = pickle.loads(pickle.dumps((setting, KEY)))
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_keep_elsewhere, args=again)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert everything(opened()) == [(1, [whole(1, 100)])]


def _keep_elsewhere(setting: VaultSetting, key: Any) -> None:
    with open_vault(setting, RUN, key, create=False) as vault:
        vault.keep(place(1), [whole(1, 100)])


def test_a_deployment_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "SELECTION_SECONDS", 0.2)
    with pytest.raises(PreflightError, match="no server answered"):
        open_vault(Secret("mongodb://127.0.0.1:9/"), RUN, KEY, create=True)


def test_a_directory_whose_parent_is_missing(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be written to"):
        open_vault(tmp_path / "not" / "there", RUN, KEY, create=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_a_directorys_place(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("")
    for create in (True, False):
        with pytest.raises(VaultError):
            open_vault(tmp_path / "vault", RUN, KEY, create=create)
