"""How many examples property tests try: a sample in the ordinary suite, more where more are asked for."""

from __future__ import annotations

import os


def examples(number: int) -> int:
    """`number`, times what PHIMASK_TEST_EFFORT says."""
    return number * int(os.environ.get("PHIMASK_TEST_EFFORT", "1"))
