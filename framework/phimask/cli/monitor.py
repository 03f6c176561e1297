"""`phimask monitor`: the live page, from wherever the ledger can be reached."""

from __future__ import annotations

import html
import tempfile
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from phimask.cli.options import as_json_option, database_option, uri_option
from phimask.cli.show import answer, say
from phimask.cli.steer import opened_ledger
from phimask.engine.control import StopSignal
from phimask.errors import UsageError

if TYPE_CHECKING:
    from phimask.monitor.serving import Certificate

_PORT = 8766
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("monitor")
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=_PORT,
    show_default=True,
    help="The port to listen on; 0: any.",
)
@click.option("--token-file", type=_FILE, help="Ask for the token in this file, not for a new one each time.")
@click.option("--open", "open_it", is_flag=True, help="Open the page in a browser.")
@click.option("--read-only", is_flag=True, help="Show runs, and let nobody pause or stop one from the page.")
@click.option("--tls-cert", type=_FILE, help="Serve https with this certificate (PEM).")
@click.option("--tls-key", type=_FILE, help="The certificate's key (PEM).")
@click.option(
    "--without-tls",
    is_flag=True,
    help="Serve other machines without encryption, such as behind a proxy that encrypts.",
)
@uri_option
@database_option
@as_json_option
def monitor_command(
    host: str,
    port: int,
    token_file: Path | None,
    open_it: bool,
    read_only: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    without_tls: bool,
    uri: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Show runs on a live page in the browser, until Ctrl-C; no run notices that it comes or goes.

    The page is for this machine alone, and for who has the address that is printed, with the token in it.
    """
    # The web server takes long to load, and other commands do without.
    from phimask.monitor import serving  # noqa: PLC0415
    from phimask.monitor.door import new_token, token_from  # noqa: PLC0415

    certificate = _certificate(tls_cert, tls_key)
    if not (certificate or without_tls or serving.is_loopback(host)):
        raise UsageError(
            f"--host {host} can be reached from other machines, to which the token would go in the clear; give "
            "--tls-cert and --tls-key, or --without-tls where something else encrypts"
        )
    token = new_token() if token_file is None else token_from(token_file)
    with ExitStack() as stack:
        ledger = stack.enter_context(opened_ledger(uri, database))
        listener = stack.enter_context(serving.listening(host, port))
        shown, port = f"[{host}]" if ":" in host else host, listener.getsockname()[1]
        address = f"{'https' if certificate else 'http'}://{shown}:{port}/"
        complete = f"{address}signin#token={token.reveal()}"
        # A token that stands in a file is for longer, and what is printed may be kept in a log.
        url = complete if token_file is None else address
        if as_json:
            answer({"url": url, "ledger": str(ledger), "read_only": read_only})
        say(f"the live page of the ledger {ledger}:\n  {url}")
        if token_file is not None:
            say(f"it asks for the token in {token_file}")
        say("Ctrl-C closes it; runs go on")
        if open_it:
            _open(complete, stack)
        serving.serve(ledger, listener, token, certificate, host=host, read_only=read_only, stop=StopSignal())


def _certificate(certificate: Path | None, key: Path | None) -> Certificate | None:
    from phimask.monitor.serving import Certificate  # noqa: PLC0415  (as above)

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("--tls-cert and --tls-key go together")
    pair = Certificate(certificate, key)
    pair.check()
    return pair


def _open(url: str, stack: ExitStack) -> None:
    """In the browser, by a file that only this user can read: the browser's command line anybody can."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="phimask-")))
    file = folder / "monitor.html"
    file.write_text(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(url)}">', encoding="utf-8"
    )
    if not webbrowser.open(file.as_uri()):
        say("no browser could be opened; open the address yourself")
