"""tokenize and detokenize, on a real vault."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Any

import pytest
from bson.int64 import Int64
from masker_cases import KEY, ODD_VALUES, OTHER_KEY, mask, same
from pymongo import monitoring
from test_encrypt import holds, stored

from phimask import FAILED, StoreError
from phimask.testing import check_masker
from phimask_plugins.maskers import token_vault
from phimask_plugins.maskers.detokenize import Detokenize
from phimask_plugins.maskers.tokenize import Tokenize

ALPHABET = set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


@pytest.fixture
def options(database, mongo_uri) -> dict[str, Any]:
    return {"uri": mongo_uri, "database": database.name, "collection": "vault"}


@pytest.fixture
def vault(database):
    return database.vault


def kept(vault) -> int:
    """How many tokens the vault holds."""
    return vault.count_documents({"token": {"$exists": True}})


class Commands(monitoring.CommandListener):
    """The commands that reach a server, as its log would have them."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.seen.append((event.command_name, repr(event.command)))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def commands(monkeypatch) -> Commands:
    listener = Commands()
    client = token_vault.MongoClient

    def listened(*args: Any, **kwargs: Any) -> Any:
        return client(*args, **kwargs, event_listeners=[listener])

    monkeypatch.setattr(token_vault, "MongoClient", listened)
    return listener


def test_the_kit(options):
    check_masker(Tokenize, options)


def test_the_kit_on_detokenize(options):
    tokens = mask(Tokenize(options, KEY), "Ada", 7, Int64(7), 1.5)
    check_masker(Detokenize, options, tokens)


def test_tokens_are_short_readable_and_their_own(options):
    tokens = mask(Tokenize({**options, "prefix": "T-"}, KEY), *(f"Ada {number}" for number in range(500)))
    assert len(set(tokens)) == 500
    assert all(token[:2] == "T-" and len(token) == 18 and set(token[2:]) <= ALPHABET for token in tokens)
    assert {len(token) for token in mask(Tokenize({**options, "length": 12}, KEY), "x", 7)} == {12}


def test_every_value_comes_back_as_what_it_was(options):
    values = [value for value in ODD_VALUES if holds(value)]
    tokens = mask(Tokenize(options, KEY), *values)
    assert all(type(token) is str for token in tokens)
    for value, back in zip(values, mask(Detokenize(options, KEY), *tokens), strict=True):
        assert same(back, stored(value))


def test_the_same_value_has_the_same_token_in_every_column_and_run(options, vault):
    first = mask(Tokenize(options, KEY), "Ada", "Grace", "Ada", 7)
    again = mask(Tokenize(options, KEY), 7, "Ada", "Edith", Int64(7))
    assert first[0] == first[2]
    assert again[:2] == [first[3], first[0]]
    assert len({*first, *again}) == 5
    assert kept(vault) == 5


def test_another_key_has_other_tokens_for_the_same_values(options):
    mine = mask(Tokenize(options, KEY), "Ada", "Grace")
    theirs = mask(Tokenize(options, OTHER_KEY), "Ada", "Grace")
    assert not set(mine) & set(theirs)
    assert mask(Detokenize(options, OTHER_KEY), *mine) == [FAILED, FAILED]
    assert mask(Detokenize(options, OTHER_KEY, (KEY,)), *mine, *theirs) == ["Ada", "Grace"] * 2
    assert mask(Detokenize(options, b"\7" * 32, older_keys=(b"\1\2" * 16, KEY)), mine[1]) == ["Grace"]


def test_the_vault_shows_no_value(options, vault):
    mask(Tokenize(options, KEY), "Ada Lovelace", 74193026)
    (marks,) = vault.find({"_id": "keys"})
    assert [len(mark) for mark in marks["keys"]] == [16]
    for document in vault.find({"_id": {"$ne": "keys"}}):
        assert set(document) == {"_id", "finder", "token", "value"}
        assert len(document["_id"]) == len(document["finder"]) == 32
        assert b"Lovelace" not in document["value"]
        assert (74193026).to_bytes(4, "little") not in document["value"]


def test_equal_values_are_sealed_apart_and_belong_to_their_token(options, vault):
    one, other = mask(Tokenize(options, KEY), "Ada", "Grace")
    sealed = {document["token"]: document["value"] for document in vault.find({"token": {"$exists": True}})}
    vault.update_one({"token": one}, {"$set": {"value": sealed[other]}})
    assert mask(Detokenize(options, KEY), one, other) == [FAILED, "Grace"]
    vault.update_one({"token": other}, {"$set": {"value": sealed[other][:-1] + b"\0\0"}})
    assert mask(Detokenize(options, KEY), other) == [FAILED]


@pytest.mark.parametrize(
    "value", ["", "Ada", "0" * 16, "\ud800", "Z" * 10_000_000, "🩺", "T-0123456789ABCDEF"]
)
def test_a_token_that_there_is_not_fails(options, value):
    mask(Tokenize(options, KEY), "Ada")
    assert mask(Detokenize(options, KEY), value) == [FAILED]


def test_a_column_costs_one_round_trip_and_two_more_for_new_values(options, commands):
    masker = Tokenize(options, KEY)
    mask(masker, "warm up")
    for values, expected in (
        ([f"Ada {number % 1500}" for number in range(3000)], ["find", "update", "find"]),
        ([f"Ada {number}" for number in range(1500)], ["find"]),
    ):
        commands.seen.clear()
        mask(masker, *values)
        assert [name for name, _ in commands.seen if name != "getMore"] == expected
        # what does not fit into a reply's first 101 documents comes with one more
        assert len(commands.seen) <= 2 * len(expected)
    commands.seen.clear()
    assert mask(masker) == []
    assert commands.seen == []


def test_no_command_holds_a_value_whichever_way(options, commands):
    tokens = mask(Tokenize(options, KEY), "Zxqulon Vyrken", "741-93-0265")
    mask(Detokenize(options, KEY), *tokens, "Zxqulon Vyrken", "741-93-0265")
    told = " ".join(command for _, command in commands.seen)
    assert "Zxqulon" not in told
    assert "741-93" not in told
    assert {"find", "update", "createIndexes"} <= {name for name, _ in commands.seen}


def test_many_at_once_agree_on_one_token_a_value(options, vault):
    values = [f"Ada {number}" for number in range(300)]
    results: list[list[Any]] = []
    start = threading.Barrier(6)

    def work() -> None:
        masker = Tokenize(options, KEY)
        start.wait()
        results.append(mask(masker, *values))

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 6
    assert all(result == results[0] for result in results)
    assert len(set(results[0])) == kept(vault) == 300


def test_somebody_who_is_faster_wins(options, monkeypatch, vault):
    mine, theirs = Tokenize(options, KEY), Tokenize(options, KEY)
    expected: list[Any] = []
    add = mine._vault.add

    def late(entries: Any, mark: bytes) -> None:
        expected.extend(mask(theirs, "Ada"))
        add(entries, mark)

    monkeypatch.setattr(mine._vault, "add", late)
    assert mask(mine, "Ada", "Grace")[0] == expected[0]
    assert kept(vault) == 2


def test_a_token_that_is_taken_is_drawn_again(options, monkeypatch, vault):
    draws = iter([bytes(16), bytes(16), bytes([1] * 16)])
    monkeypatch.setattr("phimask_plugins.maskers.tokenize.token_bytes", lambda count: next(draws))
    masker = Tokenize(options, KEY)
    assert mask(masker, "Ada") == ["0" * 16]
    assert mask(masker, "Grace") == ["1" * 16]
    assert mask(Detokenize(options, KEY), "0" * 16, "1" * 16) == ["Ada", "Grace"]
    monkeypatch.setattr("phimask_plugins.maskers.tokenize.token_bytes", bytes)
    assert mask(masker, "Edith") == [FAILED]
    assert kept(vault) == 2


def test_each_character_is_as_likely_as_any_other(options, monkeypatch):
    every = iter(bytes(range(first, 256, 16)) for first in range(16))
    monkeypatch.setattr("phimask_plugins.maskers.tokenize.token_bytes", lambda count: next(every))
    drawn = Counter("".join(mask(Tokenize(options, KEY), *map(str, range(16)))))
    assert drawn == dict.fromkeys("0123456789ABCDEFGHJKMNPQRSTVWXYZ", 8)


def test_what_no_document_of_the_vault_can_hold_fails_alone(options):
    tokens = mask(Tokenize(options, KEY), "x" * (15 * 1024 * 1024), "Ada", "\ud800")
    assert tokens[0] is tokens[2] is FAILED
    assert mask(Detokenize(options, KEY), tokens[1]) == ["Ada"]


def test_a_vault_that_is_not_there_raises_at_once_from_then_on(options, monkeypatch, caplog):
    monkeypatch.setattr(token_vault, "_SELECTION_SECONDS", 0.2)
    elsewhere = {**options, "uri": "mongodb://ada:zxqulon@127.0.0.1:9/?directConnection=true"}
    asked: list[Any] = []
    client = token_vault.MongoClient
    monkeypatch.setattr(
        token_vault, "MongoClient", lambda *args, **kwargs: asked.append(1) or client(*args, **kwargs)
    )
    with caplog.at_level(logging.INFO):
        for cls in (Tokenize, Detokenize):
            masker = cls(elsewhere, KEY)
            for told in (r"does not answer \(\w+\)$", "does not answer$", "does not answer$"):
                with pytest.raises(StoreError, match=told) as raised:
                    mask(masker, "Vyrken")
                assert "Vyrken" not in str(raised.value)
                assert "zxqulon" not in str(raised.value) + caplog.text
                assert raised.value.__cause__ is None
                assert raised.value.__context__ is None
    assert len(asked) == 2


def test_a_vault_that_refuses_raises_too(options, database):
    database.create_collection("vault", validator={"token": {"$type": "int"}})
    with pytest.raises(StoreError, match=r"BulkWriteError"):
        mask(Tokenize(options, KEY), "Ada")


@pytest.mark.parametrize("uri", ["localhost:27017", "", "http://x", "ada:zxqulon@host"])
@pytest.mark.parametrize("cls", [Tokenize, Detokenize])
def test_what_is_no_uri(cls, uri):
    with pytest.raises(ValueError, match="malformed") as raised:
        cls({"uri": uri}, KEY)
    assert "zxqulon" not in str(raised.value)


@pytest.mark.parametrize("option", ["tls=True", "tlss=true", "readPreference=zxqulon"])
@pytest.mark.parametrize("cls", [Tokenize, Detokenize])
def test_an_option_of_the_uri_that_would_be_ignored(cls, option):
    with pytest.raises(ValueError, match="would be ignored") as raised:
        cls({"uri": f"mongodb://ada:zxqulon@host/?replicaSet=rs0&{option}"}, KEY)
    assert "zxqulon" not in str(raised.value)
    assert cls({"uri": "mongodb://ada:zxqulon@host/?replicaSet=rs0&tls=true&tlsCAFile=none.pem"}, KEY)


def test_a_malformed_uri_does_not_show_its_password():
    with pytest.raises(StoreError) as raised:
        mask(Tokenize({"uri": "mongodb://ada:zx/qulon@host:nine/"}, KEY), "Ada")
    assert "qulon" not in str(raised.value)


def test_a_prefix_that_bson_cannot_hold():
    with pytest.raises(ValueError, match="`prefix`"):
        Tokenize({"uri": "mongodb://host/", "prefix": "\ud800"}, KEY)


@pytest.mark.parametrize("cls", [Tokenize, Detokenize])
def test_without_a_key_nothing_is_asked(cls):
    with pytest.raises(ValueError, match="needs a masking key"):
        mask(cls({"uri": "mongodb://host/"}), "Ada")


@pytest.mark.parametrize("cls", [Tokenize, Detokenize])
def test_repr_shows_neither_password_nor_key(cls):
    masker = cls({"uri": "mongodb://ada:zxqulon@host/"}, KEY)
    shown = repr(masker) + repr(masker._vault)
    assert "zxqulon" not in shown
    assert "\\x01" not in shown


def test_detokenize_has_tokenizes_key_unless_told():
    assert Detokenize.default_domain == Tokenize.name


OLD_KEY = bytes(range(64, 96))


def test_a_vault_of_another_key_is_refused_before_anything_is_written(options, vault):
    assert list(Tokenize(options, KEY).before()) == []
    mask(Tokenize(options, KEY), "Ada")
    before = list(vault.find())
    for cls in (Tokenize, Detokenize):
        assert list(cls(options, KEY).before()) == []
        (hazard,) = cls(options, OTHER_KEY).before()
        assert f"{vault.full_name} was written under another key" in hazard
        assert "`key: [NEW, OLD]`" in hazard
        assert list(cls(options, OTHER_KEY, (OLD_KEY, KEY)).before()) == []
    assert list(vault.find()) == before


def test_a_rotated_key_is_one_of_the_vault_s(options):
    mask(Tokenize(options, OLD_KEY), "Ada")
    rotated = Tokenize(options, KEY, (OLD_KEY,))
    assert list(rotated.before()) == []
    mask(rotated, "Grace")
    assert list(Tokenize(options, KEY).before()) == []
    assert list(Tokenize(options, OLD_KEY).before()) == []


def test_an_empty_vault_has_nothing_to_give_back(options, vault):
    (hazard,) = Detokenize(options, KEY).before()
    assert f"{vault.full_name} holds no tokens" in hazard


@pytest.mark.parametrize("cls", [Tokenize, Detokenize])
def test_a_vault_that_does_not_answer_is_a_hazard(options, cls, monkeypatch):
    monkeypatch.setattr(token_vault, "_SELECTION_SECONDS", 0.2)
    (hazard,) = cls(
        {**options, "uri": "mongodb://ada:zxqulon@127.0.0.1:9/?directConnection=true"}, KEY
    ).before()
    assert "does not answer" in hazard
    assert "zxqulon" not in hazard
    assert list(cls(options).before()) == []
