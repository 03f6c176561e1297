"""The dask cluster as a run sees it: the connection, who of its workers is free, and questions to one of them.

dask is imported here and nowhere else, when a run or a plan needs it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from phimask import SafeStop, describe_error

if TYPE_CHECKING:
    from distributed import Client, Future

_OWN_LOGS: Final = ("distributed", "tornado", "dask")
"""Loggers, with all below them, that write to stderr by themselves."""
_TYPE: Final = re.compile(r"[A-Z]\w+(?=\()")
_PATIENCE: Final = 10.0
"""Seconds that an answer may take."""


class NoAnswer(Exception):
    """A dask worker or the scheduler did not answer; the message says of what type the error was, never its text.
    `refused`: it is there, and does not know what it was asked."""

    def __init__(self, error: BaseException, *, answered: bool = False) -> None:
        # Of an error that has gone through the scheduler dask makes a plain one, with the other's repr as text.
        there = _TYPE.match(str(error)) if type(error) is Exception else None
        super().__init__(describe_error(error) if there is None else there[0])
        self.refused = answered and not isinstance(error, OSError | TimeoutError | asyncio.TimeoutError)


def stays_here(address: str) -> bool:
    """Whether what is sent to that address never leaves this machine."""
    parts = urlsplit(address)
    if parts.scheme == "inproc":
        return True
    host = parts.hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_safe(address: str) -> bool:
    """Whether keys may be sent to that address: encrypted, or not out of this machine."""
    return address.startswith("tls://") or stays_here(address)


@contextmanager
def connected(options: Mapping[str, Any], seconds: float) -> Iterator[Cluster]:
    """Raises SafeStop where the scheduler does not answer within so many seconds."""
    from distributed import Client, Security  # noqa: PLC0415  (an extra)

    address = options["scheduler"]
    security = Security(require_encryption=False)
    if address.startswith("tls://"):
        security = Security(
            tls_ca_file=options["ca_file"],
            tls_client_cert=options["cert_file"],
            tls_client_key=options["key_file"],
            require_encryption=True,
        )
    with _told_in_our_log():
        try:
            client = Client(address, security=security, timeout=seconds, set_as_default=False, name="phimask")
        except Exception as error:  # noqa: BLE001  (dask raises several; their texts may hold anything)
            raise SafeStop(
                f"the dask scheduler {address} cannot be reached ({type(error).__name__}); start it, or see whether "
                "address and certificates are right, then `phimask resume`"
            ) from None
        try:
            yield Cluster(client)
        finally:
            with suppress(Exception):  # what it held, the scheduler forgets when the connection is gone
                client.close()


class Cluster:
    """Used by several threads. A dask worker that is taken is nobody else's in this run."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._taken: set[str] = set()

    def addresses(self) -> list[str]:
        """Of the dask workers that are there now. Raises NoAnswer where the scheduler does not answer, and SafeStop
        where one of them listens where keys may not be sent."""
        try:
            found = sorted(self._client.sync(self._client.nthreads, callback_timeout=_PATIENCE))
        except Exception as error:  # noqa: BLE001  (as above)
            raise NoAnswer(error) from None
        for address in found:
            if not is_safe(address):
                raise SafeStop(
                    f"the dask worker {address} listens without TLS, and not on this machine alone: jobs hold masking "
                    "keys; start the workers with TLS certificates, then `phimask resume`"
                )
        return found

    def take(self) -> str | None:
        """One that is free, of the machine with the fewest taken; None: none is. Raises as `addresses`."""
        found = self.addresses()
        with self._lock:
            busy = Counter(urlsplit(address).hostname for address in self._taken)
            free = [address for address in found if address not in self._taken]
            if not free:
                return None
            chosen = min(free, key=lambda address: (busy[urlsplit(address).hostname], address))
            self._taken.add(chosen)
            return chosen

    def give_back(self, address: str) -> None:
        """It is free again."""
        with self._lock:
            self._taken.discard(address)

    def submit(self, address: str, function: Callable[..., None], token: str) -> Future:
        """Have a task done by that dask worker and by no other."""
        return self._client.submit(
            function,
            token,
            key=f"phimask-{token}",
            workers=[address],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )

    def ask(self, address: str, function: Callable[..., Any], *given: Any) -> Any:
        """Call a function in that dask worker, beside its tasks. Raises NoAnswer."""
        try:
            answers = self._client.sync(
                self._client.run,
                function,
                *given,
                workers=[address],
                on_error="return",
                callback_timeout=_PATIENCE,
            )
            answer = answers[address]
        except Exception as error:  # noqa: BLE001  (as above)
            raise NoAnswer(error) from None
        if isinstance(answer, BaseException):
            raise NoAnswer(answer, answered=True)
        return answer


@contextmanager
def _told_in_our_log() -> Iterator[None]:
    """Meanwhile dask's log goes where all others go, and not to stderr, over the display."""
    kept: list[tuple[logging.Logger, list[logging.Handler], bool]] = []
    for name, one in tuple(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] in _OWN_LOGS and isinstance(one, logging.Logger):
            kept.append((one, one.handlers[:], one.propagate))
            one.handlers[:] = []
            one.propagate = True
    try:
        yield
    finally:
        for one, handlers, propagate in kept:
            one.handlers[:] = handlers
            one.propagate = propagate
