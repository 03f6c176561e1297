"""Commands that make something: a starter phimask.yaml, a masking key, sample documents."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click
from pymongo.errors import PyMongoError

from phimask.cli.deployment import open_deployment
from phimask.cli.options import as_json_option, collection_name, database_option, uri_option
from phimask.cli.proof import public_file
from phimask.cli.show import answer, say
from phimask.errors import Interrupted, UsageError
from phimask.masking.keys import MaskingKey
from phimask.observing.signing import SigningKey
from phimask.store.retry import terminal_error
from phimask.store.sample.documents import DEFAULT_MIX, ID_TYPES
from phimask.store.sample.loading import load_samples

_STARTER = """\
# phimask.yaml: where. What to mask stands in collections/*.yaml, how to run in a profile.
version: 1
uri: ${PHIMASK_URI}                   # mongodb://USER:PASSWORD@HOST:PORT/?replicaSet=NAME
database: ehr
# target: {database: ehr_masked}      # without this line, documents are masked in place
key: {env: PHIMASK_KEY}               # or {file: masking.key}; make one with `phimask keygen`
profile: production                   # `phimask profiles list` shows them
collections: [container]              # collections/container.yaml beside this file, or a shipped one
"""


@click.command("init")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    show_default="the current folder",
)
@as_json_option
def init_command(directory: Path, as_json: bool) -> None:
    """Write a starter phimask.yaml."""
    path = directory / "phimask.yaml"
    write_new(path, _STARTER, mode=0o644)
    if as_json:
        answer({"written": [str(path)]})
    else:
        say(f"wrote {path}\nnext: set PHIMASK_URI, make a key with `phimask keygen`, then `phimask plan`")


@click.command("keygen")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the key to this file, readable by you alone, rather than to stdout.",
)
@click.option(
    "--signing",
    is_flag=True,
    help="Make a key that signs manifests (Ed25519) instead: the private half goes to --out, the public one beside it.",
)
@as_json_option
def keygen_command(out: Path | None, signing: bool, as_json: bool) -> None:
    """Make a masking key.

    Whoever has the key can link masked values to originals they know: keep it where you keep passwords. The
    same key gives the same masks in every collection and every run.
    """
    if signing:
        _make_signing_key(out, as_json=as_json)
        return
    key = MaskingKey.generate()
    if out is not None:
        write_new(out, key.text() + "\n", mode=0o600)
        if as_json:
            answer({"written": [str(out)], "key_fingerprint": key.fingerprint})
        else:
            say(
                f"wrote {out} (fingerprint {key.fingerprint}); name it in phimask.yaml as key: {{file: {out}}}"
            )
    elif as_json:
        answer({"key": key.text(), "key_fingerprint": key.fingerprint})
    else:
        click.echo(key.text())
        say(f"fingerprint {key.fingerprint}; set it as PHIMASK_KEY, and keep it secret")


def _make_signing_key(out: Path | None, *, as_json: bool) -> None:
    if out is None:
        raise UsageError("a signing key has two halves: name a file for the private one with --out FILE")
    key = SigningKey.generate()
    public = public_file(out)
    if public.exists():
        raise UsageError(f"{public} is there already; name another file, or move it away first")
    write_new(out, key.pem(), mode=0o600)
    write_new(public, key.public.pem(), mode=0o644)
    if as_json:
        answer({"written": [str(out), str(public)], "key_fingerprint": key.public.fingerprint})
    else:
        say(
            f"wrote {out}, which signs: keep it secret, and name it in phimask.yaml as signing_key: {{file: {out}}}\n"
            f"wrote {public}, for whoever checks (fingerprint {key.public.fingerprint})"
        )


@click.command("sample")
@uri_option
@database_option
@click.option(
    "--collection",
    "-c",
    default="container",
    show_default=True,
    callback=collection_name,
    help="The collection to fill.",
)
@click.option("--docs", type=click.IntRange(1), default=20_000, show_default=True, help="How many documents.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="The same seed gives the same documents."
)
@click.option(
    "--mix",
    default=",".join(f"{name}={share:g}" for name, share in DEFAULT_MIX.items()),
    show_default=True,
    help="Shares of the complexity classes.",
)
@click.option(
    "--id-types",
    default="objectId",
    show_default=True,
    help=f"BSON types of _id, comma-separated: {', '.join(ID_TYPES)}, or mixed for all.",
)
@as_json_option
def sample_command(
    uri: str | None,
    database: str | None,
    collection: str,
    docs: int,
    seed: int,
    mix: str,
    id_types: str,
    as_json: bool,
) -> None:
    """Fill an empty collection with synthetic patients' documents."""
    shares = _shares(mix)
    with open_deployment(uri, database, os.environ) as (client, name):
        where = client[name][collection]
        if _count(where):
            raise UsageError(f"{name}.{collection} is not empty; name another collection, or drop it first")
        start = time.perf_counter()
        try:
            load_samples(where, docs, seed, shares, tuple(id_types.split(",")))
        except KeyboardInterrupt:
            raise Interrupted(
                f"interrupted; {name}.{collection} has some of the documents: drop it, and begin anew"
            ) from None
        seconds = time.perf_counter() - start
    if as_json:
        answer({"namespace": f"{name}.{collection}", "documents": docs, "seconds": round(seconds, 3)})
    else:
        say(f"{name}.{collection}: {docs:,} documents in {seconds:.1f} s ({docs / seconds:,.0f} a second)")


def _count(where: Any) -> int:
    try:
        return int(where.estimated_document_count())
    except PyMongoError as error:
        raise terminal_error(error, f"looking at {where.full_name}") from None


def _shares(mix: str) -> dict[str, float]:
    try:
        pairs = [part.split("=") for part in mix.split(",")]
        return {name.strip(): float(share) for name, share in pairs}
    except ValueError:
        raise UsageError(f"--mix {mix!r} is not of the form simple=0.6,medium=0.3,complex=0.1") from None


def write_new(path: Path, text: str, mode: int) -> None:
    """Write a file that must not be there yet; on POSIX with these permissions from the start."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = "there is a file of this name" if isinstance(error, FileExistsError) else error.strerror
        raise UsageError(f"{path} cannot be written: {path.parent} is no folder ({why})") from None
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise UsageError(f"{path} is there already; name another file, or move it away first") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
