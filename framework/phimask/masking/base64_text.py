"""Base64 as it stands in a text: decoded, and encoded again in the same alphabet, padding and line lengths.

Source: RFC 4648, sections 4 and 5; lines as in RFC 2045, section 6.8.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

_STANDARD: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_URL_SAFE: Final = re.compile(r"[A-Za-z0-9_-]*={0,2}")
_BREAK: Final = re.compile(r"\r?\n")


@dataclass(frozen=True, slots=True)
class Base64Style:
    """How a text was encoded. `line`: characters of a full line, 0 for no lines; `end`: what the text ends with."""

    url_safe: bool
    padded: bool
    line: int = 0
    line_break: str = ""
    end: str = ""

    def encode(self, content: bytes) -> str:
        """The content in this style."""
        encoded = (base64.urlsafe_b64encode if self.url_safe else base64.b64encode)(content).decode()
        if not self.padded:
            encoded = encoded.rstrip("=")
        if self.line:
            encoded = self.line_break.join(
                encoded[at : at + self.line] for at in range(0, len(encoded), self.line)
            )
        return encoded + self.end

    def encode_text(self, text: str) -> str:
        """The text's UTF-8 in this style."""
        return self.encode(text.encode())


def base64_decoded(text: str) -> tuple[bytes, Base64Style] | None:
    """What the text holds and how; None unless encoding that again gives back the very same text."""
    first = _BREAK.search(text)
    body = text if first is None else _BREAK.sub("", text)
    if _STANDARD.fullmatch(body) is None and _URL_SAFE.fullmatch(body) is None:
        return None
    bare = body.rstrip("=")
    cut_short = body == bare and len(bare) % 4 != 0
    special = any(one in body for one in "+/")
    url_safe = any(one in body for one in "-_") or (cut_short and not special)
    padded = body != bare or not (cut_short or url_safe)
    line, line_break, end = 0, "", ""
    if first is not None:
        line_break = first[0]
        end = line_break if text.endswith(line_break) else ""
        line = 0 if first.end() == len(text) else first.start()
    style = Base64Style(url_safe, padded, line, line_break, end)
    try:
        content = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_" if url_safe else b"+/")
    except ValueError:
        return None
    return (content, style) if style.encode(content) == text else None
