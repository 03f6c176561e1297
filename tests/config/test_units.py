from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phimask.config.units import DURATIONS, SIZES, UnitError, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1B", 1),
        ("2GB", 2_000_000_000),
        ("2GiB", 2_147_483_648),
        ("512MiB", 536_870_912),
        ("1.5 GB", 1_500_000_000),
        (" 64MB ", 64_000_000),
        ("64mb", 64_000_000),
        ("8kb", 8_000),
        ("0.1MiB", 104_858),
        (0, 0),
        (4096, 4096),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("8s", 8.0), ("250ms", 0.25),
     ("2m", 120.0), ("1.5h", 5400.0), ("1d", 86_400.0), ("0s", 0.0), (3, 3.0), (0.5, 0.5)],
)  # fmt: skip
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert isinstance(parse_duration(text), float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2G", "'2G' has no unit that phimask knows; did you mean 2GB?"),
        ("2 bytes", "'2 bytes' has no unit that phimask knows; did you mean 2B?"),
        ("512", "'512' has no unit; write a size such as 64MB, 1.5GB or 512MiB"),
        ("GB", "'GB' is no size; write a size such as 64MB, 1.5GB or 512MiB"),
        ("-1GB", "'-1GB' is no size; write a size such as 64MB, 1.5GB or 512MiB"),
        ("1,5GB", "'1,5GB' is no size; write a size such as 64MB, 1.5GB or 512MiB"),
        ("٣MB", "'٣MB' is no size; write a size such as 64MB, 1.5GB or 512MiB"),
        (
            "99999999TB",
            "'99999999TB' is more than any machine has; write a size such as 64MB, 1.5GB or 512MiB",
        ),
        (-1, "-1 is no size in bytes; write a size such as 64MB, 1.5GB or 512MiB"),
        (True, "this is no size; write a size such as 64MB, 1.5GB or 512MiB"),
    ],
)
def test_what_is_no_size(text: str | int, said: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_size(text)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2 min", "'2 min' has no unit that phimask knows; did you mean 2m?"),
        ("8 seconds", "'8 seconds' has no unit that phimask knows; did you mean 8s?"),
        ("8S", "'8S' has no unit that phimask knows; did you mean 8s?"),
        ("1h30m", "'1h30m' is no time; write a time such as 250ms, 8s, 2m or 1h"),
        ("soon", "'soon' is no time; write a time such as 250ms, 8s, 2m or 1h"),
        ("8", "'8' has no unit; write a time such as 250ms, 8s, 2m or 1h"),
        (-0.5, "-0.5 is no time in seconds; write a time such as 250ms, 8s, 2m or 1h"),
        (float("nan"), "nan is no time in seconds; write a time such as 250ms, 8s, 2m or 1h"),
        (True, "this is no time; write a time such as 250ms, 8s, 2m or 1h"),
    ],
)
def test_what_is_no_duration(text: str | float, said: str) -> None:
    with pytest.raises(UnitError) as caught:
        parse_duration(text)
    assert str(caught.value) == said


@given(st.integers(0, 8_000_000), st.sampled_from(sorted(SIZES)))
def test_whole_sizes_are_exact(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * SIZES[unit]


@given(st.integers(0, 10**9), st.sampled_from(sorted(DURATIONS)))
def test_whole_durations_are_exact(number: int, unit: str) -> None:
    assert parse_duration(f"{number} {unit}") == float(number * DURATIONS[unit])
