"""Which errors of MongoDB pass by themselves, trying those again, and naming the others without a value.

A server's message may hold values of documents (a duplicate key's, say), so it is never passed on: an error is
told by its code and the code's name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
)
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from phimask.config.model import Retry
from phimask.errors import StoreError

_PASSING: Final[Mapping[int, str]] = {
    6: "HostUnreachable",
    7: "HostNotFound",
    24: "LockTimeout",
    43: "CursorNotFound",
    46: "LockBusy",
    50: "MaxTimeMSExpired",
    64: "WriteConcernTimeout",
    89: "NetworkTimeout",
    91: "ShutdownInProgress",
    112: "WriteConflict",
    133: "FailedToSatisfyReadPreference",
    134: "ReadConcernMajorityNotAvailableYet",
    175: "QueryPlanKilled",
    189: "PrimarySteppedDown",
    262: "ExceededTimeLimit",
    290: "TransactionExceededLifetimeLimitSeconds",
    9001: "SocketException",
    10058: "LegacyNotPrimary",
    10107: "NotWritablePrimary",
    11600: "InterruptedAtShutdown",
    11602: "InterruptedDueToReplStateChange",
    13388: "StaleConfig",
    13435: "NotPrimaryNoSecondaryOk",
    13436: "NotPrimaryOrSecondary",
}
"""Codes of states that end without anybody's doing. Source: MongoDB's error codes, and the retryable ones of the
drivers' specifications for retryable reads and writes. 64 is one for phimask because all it writes may be
written again; 43 and 175 (an index that a query might go by was dropped) because its queries begin anew at the
last `_id`."""

_LABELS: Final = ("RetryableWriteError", "RetryableError", "TransientTransactionError")

_NAMES: Final[Mapping[int, str]] = {
    **_PASSING,
    13: "Unauthorized",
    18: "AuthenticationFailed",
    26: "NamespaceNotFound",
    66: "ImmutableField",
    67: "CannotCreateIndex",
    96: "OperationFailed",
    100: "UnsatisfiableWriteConcern",
    121: "DocumentValidationFailure",
    166: "CommandNotSupportedOnView",
    10334: "BSONObjectTooLarge",
    11000: "DuplicateKey",
    17280: "KeyTooLong",
}
"""For errors that come with a code only, as those within a bulk write do."""

UNAUTHORIZED: Final = 13
_REFUSED_ON: Final = re.compile(r"not authorized on ([\w-]{1,63}) to execute command\b", re.ASCII)
"""How a server's message begins that a user may not do something; what it goes on with may hold values."""

_SLICE: Final = 0.1
"""Seconds between two looks at whether a stop was asked for."""


def classify(exc: BaseException) -> Literal["transient", "terminal"]:
    """Whether the same request may well succeed a little later.

    A bulk write is transient as soon as one thing in it is: sent again, it meets the terminal rest alone.
    """
    if not isinstance(exc, PyMongoError):
        return "terminal"
    if isinstance(exc, ConnectionFailure) or any(map(exc.has_error_label, _LABELS)):
        return "transient"
    return "transient" if any(code in _PASSING for code in _codes(exc)) else "terminal"


def error_name(exc: BaseException) -> str:
    """The error's code and code name as in `code 11600 (InterruptedAtShutdown)`, or its class where it has no code.

    Of what the user may not do, the database, too: a run works in several. Of a bulk write that failed in parts,
    every code once.
    """
    codes = dict.fromkeys(_codes(exc)) if isinstance(exc, PyMongoError) else {}
    if not codes:
        return type(exc).__name__
    if isinstance(exc, BulkWriteError):
        return ", ".join(_called(code, None) for code in codes)
    details = exc.details if isinstance(exc, OperationFailure) else getattr(exc, "details", None)
    said = details.get("codeName") if isinstance(details, Mapping) else None
    return ", ".join(_called(code, said) for code in codes) + _refused_on(details)


def terminal_error(exc: BaseException, doing: str) -> StoreError:
    """What to raise `from None` in place of `exc`; `doing` says what was tried and holds no value."""
    return StoreError(f"{doing}: MongoDB answered {error_name(exc)}")


def pause(
    seconds: float,
    stop: Callable[[], bool],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Stand still for so long, or until `stop` answers true; returns the seconds that went by."""
    start = now = clock()
    while not stop() and (left := start + seconds - now) > 0:
        sleep(min(_SLICE, left))
        now = clock()
    return now - start


def retrying(settings: Retry, on_wait: Callable[[str, float], None], stop: Callable[[], bool]) -> Retrying:
    """Call the answer with a function: it is called again while what it raises is transient.

    Waits grow exponentially with full jitter: a random time up to `initial`, then up to twice that, and so on, up
    to `longest`. After each wait `on_wait` is told the reason and the seconds. The error itself comes out when it
    is terminal, when the attempts are used up, and at once when `stop` answers true.
    """

    def wait(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        if error is None or state.next_action is None:
            return
        on_wait(f"retry: {error_name(error)}", pause(state.next_action.sleep, stop))
        if stop():
            # One more attempt may hang for as long as a server is looked for.
            raise error

    return Retrying(
        retry=retry_if_exception(lambda error: classify(error) == "transient"),
        stop=stop_after_attempt(settings.attempts),
        wait=wait_random_exponential(multiplier=settings.initial, max=settings.longest),
        # Only this hook knows the error, so it does the waiting, and the sleep that follows does none.
        before_sleep=wait,
        sleep=lambda _: None,
        reraise=True,
    )


def _codes(exc: PyMongoError) -> Iterator[int]:
    details: Any = getattr(exc, "details", None)
    if isinstance(exc, BulkWriteError) and isinstance(details, Mapping):
        for part in ("writeErrors", "writeConcernErrors"):
            for one in details.get(part) or ():
                code = one.get("code")
                if isinstance(code, int):
                    yield code
        return
    code = getattr(exc, "code", None)
    if code is None and isinstance(details, Mapping):
        code = details.get("code")
    if isinstance(code, int):
        yield code


def _refused_on(details: object) -> str:
    if not isinstance(details, Mapping) or details.get("code") != UNAUTHORIZED:
        return ""
    found = _REFUSED_ON.match(str(details.get("errmsg")))
    return "" if found is None else f" on database {found[1]!r}"


def _called(code: int, said: object) -> str:
    # A code name is a word; anything else in its place is not the server's and may be anything.
    name = said if isinstance(said, str) and said.isidentifier() and said.isascii() else _NAMES.get(code)
    return f"code {code}" if name is None else f"code {code} ({name})"
