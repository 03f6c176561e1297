"""Keys as the configuration names them: a variable of the environment, or a file that is closed to others."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from phimask.config.model import KeySource
from phimask.errors import KeyMaterialError

_LONGEST_FILE: Final = 4096


def key_text(
    source: KeySource, environ: Mapping[str, str], what: str, setting: str, how: str
) -> tuple[str, str]:
    """What messages call the place, and the text there.

    `what` the key is called (`masking key`), `setting` names its place in phimask.yaml, `how` one is made. On POSIX
    systems a file must be closed to group and others. Raises KeyMaterialError, which never says what was read.
    """
    if source.file is not None:
        return f"the file {source.file}", _read(source.file, what, how)
    if source.env is not None:
        text = environ.get(source.env, "")
        if not text.strip():
            raise KeyMaterialError(
                f"there is no {what}: the environment variable {source.env} is not set; {how} and set it"
            )
        return f"the environment variable {source.env}", text
    raise KeyMaterialError(
        f"there is no {what}: the configuration names no place for it; "
        f"{how} and write `{setting}: {{env: NAME}}` or `{setting}: {{file: PATH}}`"
    )


def _read(path: Path, what: str, how: str) -> str:
    try:
        with path.open("rb") as file:
            # The open file is asked, not the path, so that no other file can slip in between.
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyMaterialError(
                    f"the key file {path} is open to other users of this machine; run `chmod 600 {path}`"
                )
            content = file.read(_LONGEST_FILE + 1)
    except FileNotFoundError:
        raise KeyMaterialError(f"there is no {what}: no file {path}; {how} and keep it there") from None
    except OSError as error:
        raise KeyMaterialError(f"the key file {path} cannot be read: {error.strerror}") from None
    if len(content) > _LONGEST_FILE:
        raise KeyMaterialError(f"the file {path} is too long to be a {what}; {how}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise KeyMaterialError(f"the file {path} is no text, so it is no {what}; {how}") from None
