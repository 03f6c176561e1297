"""How many examples property tests try: three tenths of them in the ordinary suite, more where more are asked for."""

from __future__ import annotations

import os


def examples(number: int) -> int:
    """`number`, times what PHIMASK_TEST_EFFORT says (three tenths, where it says nothing); at least one."""
    return max(1, round(number * float(os.environ.get("PHIMASK_TEST_EFFORT", "0.3"))))
