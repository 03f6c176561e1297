"""Rules with `when`: the server itself says which documents of a batch match, so that a query means what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import bson
from bson import json_util
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure

from phimask.masking.columns import BoundRule
from phimask.masking.unmapped import Unmapped
from phimask.plugins.values import DocumentId
from phimask.store.raw import by_ids, identity_of
from phimask.store.source import ID_ORDER


def query_of(text: str) -> Any:
    """What a text in Extended JSON stands for, which a server can be sent. Raises ValueError, which holds no value."""
    try:
        query = json_util.loads(text)
        bson.encode({"": query})
    except Exception:  # noqa: BLE001  (bson raises several, and their messages hold the query's values)
        raise ValueError("this is no Extended JSON") from None
    return query


class Conditions:
    """The distinct queries of a collection's rules. Costs one small query for each of them and batch."""

    def __init__(self, rules: Sequence[BoundRule]) -> None:
        queries: dict[str, tuple[Mapping[str, Any], set[int]]] = {}
        for position, rule in enumerate(rules):
            if rule.when is not None:
                key = json.dumps(rule.when, default=json_util.default)
                queries.setdefault(key, (rule.when, set()))[1].add(position)
        # Validators are not shown the rule that sees unmapped paths, which comes first if there is one.
        self._hidden = sum(isinstance(rule.masker, Unmapped) for rule in rules)
        self._queries = [(query, frozenset(positions)) for query, positions in queries.values()]

    def without(
        self, collection: Any, documents: Sequence[DocumentId], session: ClientSession | None = None
    ) -> list[frozenset[int]]:
        """For each document, the rules by position that do not apply to it; empty where no rule has a query."""
        if not self._queries or not documents:
            return []
        result: list[frozenset[int]] = [frozenset()] * len(documents)
        for query, positions in self._queries:
            cursor = collection.find(
                {"$and": [by_ids(documents), query]}, {"_id": 1}, hint=ID_ORDER, session=session
            )
            matching = {identity_of(one) for one in cursor}
            for number, found in enumerate(documents):
                if found not in matching:
                    result[number] |= positions
        return result

    def in_facts(self, without: frozenset[int]) -> frozenset[int]:
        """The same rules by their place among those that validators know."""
        return frozenset(position - self._hidden for position in without) if self._hidden else without

    def refused(self, collection: Any) -> dict[int, str]:
        """What the server says (its code name) against the query of each rule, by position, that it refuses."""
        found: dict[int, str] = {}
        for query, positions in self._queries:
            try:
                list(collection.find({"$and": [{"_id": {"$in": []}}, query]}, {"_id": 1}))
            except OperationFailure as error:
                code = str((error.details or {}).get("codeName", error.code))
                found |= dict.fromkeys(positions, code)
        return dict(sorted(found.items()))
