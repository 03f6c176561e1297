"""Signed manifests at the command line: the key that signs, the file, and its check."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from phimask.cli.show import answer, say
from phimask.config.model import KeySource
from phimask.config.project import load_project
from phimask.config.wording import plain
from phimask.errors import FindingsError, UsageError
from phimask.observing.manifest import check, read, sign
from phimask.observing.signing import PublicKey, SigningKey


def signing_key() -> SigningKey:
    """The key that phimask.yaml or the environment names. Raises KeyMaterialError, and ConfigError."""
    return SigningKey.load(_source(), os.environ)


def manifest_text(report: Mapping[str, Any], key: SigningKey) -> str:
    """The signed manifest of a report, as it is written to a file."""
    return json.dumps(sign(report, key, datetime.now(timezone.utc)), indent=2) + "\n"


def check_manifest(
    file: Path, public_key: Path | None, report: Mapping[str, Any] | None, *, as_json: bool
) -> None:
    """Say whether a manifest is as it was signed. Raises FindingsError with all that is not, and UsageError for what is
    no manifest or no key."""
    key = _trusted(public_key)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"the manifest {file} cannot be read: {why}") from None
    checked = check(read(text, str(file)), key, report)
    faults = [plain(one) for one in checked.faults]
    if as_json:
        answer(
            {
                "ok": not faults,
                "faults": faults,
                "run_id": checked.run,
                "signed_at": checked.signed_at,
                "key_fingerprint": key.fingerprint,
                "report_compared": report is not None,
            }
        )
    if faults:
        raise FindingsError("\n".join(f"{file}: {one}" for one in faults))
    say(
        f"{file}: good: run {plain(checked.run)}, signed {plain(checked.signed_at)} under the key {key.fingerprint}"
    )
    if report is None:
        say("the report was not compared: name the run, or the file that it wrote, as well")
    else:
        say("the report is what was signed")


def _trusted(file: Path | None) -> PublicKey:
    """The public key that a manifest is held against: what it says of itself proves nothing."""
    if file is not None:
        return PublicKey.load(file)
    source = _source()
    if source.file is not None:
        beside = public_file(source.file)
        return PublicKey.load(beside) if beside.exists() else SigningKey.load(source, os.environ).public
    if source.env is not None and os.environ.get(source.env, "").strip():
        return SigningKey.load(source, os.environ).public
    raise UsageError(
        "there is no key to check the manifest by: give --public-key FILE, the .pub file that `phimask keygen "
        "--signing` wrote"
    )


def public_file(private: Path) -> Path:
    """Where the public half of a signing key is written."""
    return private.with_name(f"{private.name}.pub")


def _source() -> KeySource:
    return load_project(directory=Path(), environ=os.environ).signing_key
