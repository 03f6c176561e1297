"""What vaults of tests keep: originals of documents that nobody has."""

from __future__ import annotations

import struct
from collections.abc import Callable

from hypothesis import strategies as st

from phimask.masking.keys import MaskingKey
from phimask.plugins.values import DocumentId
from phimask.vault.contents import Contents, read, survey
from phimask.vault.records import Original, Place
from phimask.vault.vault import Vault

RUN = "20260101-000000-abcdef"
KEY = MaskingKey(bytes(range(32)))
OTHER_KEY = MaskingKey(bytes(range(1, 33)))


Opened = Callable[..., Vault]
"""Opens the vault that a test has."""


def place(
    batch: int, *, partition: int = 0, fence: int = 1, run: str = RUN, namespace: str = "ehr.people"
) -> Place:
    """Where a batch belongs."""
    return Place(run, namespace, partition, batch, fence)


def whole(number: int, size: int) -> Original:
    """A document kept whole, of so many bytes."""
    return Original(ids(number)[0], True, bytes(size), bytes(16))


def ids(*numbers: int) -> list[DocumentId]:
    """`_id`s of int32 documents."""
    return [DocumentId(0x10, struct.pack("<i", number)) for number in numbers]


def originals(*, most: int = 5, longest: int = 40) -> st.SearchStrategy[list[Original]]:
    """Any batch."""
    identity = st.builds(DocumentId, st.integers(0, 255), st.binary(max_size=20))
    one = st.builds(
        Original,
        identity,
        st.booleans(),
        st.binary(max_size=longest),
        st.binary(min_size=16, max_size=16),
    )
    return st.lists(one, max_size=most)


def everything(vault: Vault, contents: Contents | None = None) -> list[tuple[int, list[Original]]]:
    """All batches in the order in which they come, with what they hold."""
    contents = survey(vault) if contents is None else contents
    assert contents.damage == []
    copies = [copy for place in sorted(contents.copies) for copy in contents.copies[place]]
    return [(copy.batch, list(found)) for copy, found in read(vault, copies)]
