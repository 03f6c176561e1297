"""Vaults of both kinds, each empty, with a key."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from vault_samples import KEY, RUN, Opened, ids, place

from phimask.config.model import Secret
from phimask.masking.keys import MaskingKey
from phimask.vault.records import Original
from phimask.vault.vault import Vault, VaultSetting, open_vault


@pytest.fixture(params=["directory", "deployment"])
def setting(
    request: pytest.FixtureRequest, tmp_path: Path, mongo_uri: str, client: MongoClient[dict[str, Any]]
) -> Iterator[VaultSetting]:
    """Where a vault may be made."""
    if request.param == "directory":
        yield tmp_path / "vault"
        return
    name = f"vault_{uuid.uuid4().hex[:16]}"
    server, _, options = mongo_uri.partition("/?")
    yield Secret(f"{server.rstrip('/')}/{name}?{options}")
    client.drop_database(name)


@pytest.fixture
def opened(setting: VaultSetting) -> Iterator[Opened]:
    """Opens the vault, made if need be, any number of times."""
    vaults: list[Vault] = []

    def call(*, key: MaskingKey = KEY, run: str = RUN, create: bool = True) -> Vault:
        vaults.append(open_vault(setting, run, key, create=create))
        return vaults[-1]

    yield call
    for vault in vaults:
        vault.close()


@pytest.fixture
def keep(opened: Opened) -> Callable[..., None]:
    """Keeps originals of documents, given by number, as one worker after the other would."""
    writers: dict[int, Vault] = {}

    def call(
        batch: int, *numbers: int, fence: int = 1, partition: int = 0, namespace: str = "ehr.people"
    ) -> None:
        vault = writers.setdefault(fence, opened())
        vault.keep(
            place(batch, partition=partition, fence=fence, namespace=namespace),
            [Original(one, False, b"\5\0\0\0\0", bytes(16)) for one in ids(*numbers)],
        )

    return call
