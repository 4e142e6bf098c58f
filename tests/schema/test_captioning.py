"""What can be asked about videos: parts, windows, and what does not fit together."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.schema.captioning import MOST_WINDOWS, Caption, Viewing, Wording
from modules.schema.film import evenly

SECONDS = st.floats(0, 500).map(lambda value: round(value, 2))


@given(SECONDS, SECONDS, SECONDS, st.floats(0.5, 60), st.floats(0, 60))
def test_windows_lie_in_the_part_begin_with_it_and_end_with_it(
    length: float, start: float, end: float, window: float, step: float
) -> None:
    if start > length or (end and end < start):
        return
    viewing = Viewing(start=start, end=end, window=window, step=step if step >= 0.5 else 0)
    begin, stop = viewing.part(length)
    windows = viewing.windows(length)
    assert windows[0][0] == pytest.approx(begin)
    assert windows[-1][1] == pytest.approx(stop, abs=2e-3)
    assert all(begin <= one <= other <= stop + 1e-6 for one, other in windows)
    assert [one for one, _ in windows] == sorted(one for one, _ in windows)


def test_without_a_window_there_is_no_timeline() -> None:
    assert Viewing().windows(10) == []


def test_a_part_ends_with_the_video_at_the_latest() -> None:
    assert Viewing(start=1, end=50).part(8) == (1, 8)
    with pytest.raises(ValueError, match="the last frame is at 8"):
        Viewing(start=9).part(8)


def test_too_many_windows_are_refused() -> None:
    with pytest.raises(ValueError, match=f"more than {MOST_WINDOWS} windows"):
        Viewing(window=1, step=0.01).windows(3600)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Viewing(start=5, end=3),
        lambda: Wording(shortest=10, longest=5),
        lambda: Caption(videos=("a" * 64,), names=("a", "b")),
        lambda: Caption(names=("../a",)),
    ],
)
def test_what_does_not_fit_together_is_refused(make) -> None:
    with pytest.raises(ValidationError):
        make()


@given(SECONDS, SECONDS, st.integers(1, 40))
def test_moments_are_spread_evenly_over_the_part(begin: float, more: float, count: int) -> None:
    moments = evenly(begin, begin + more, count)
    assert len(moments) == count
    if count > 1:
        assert (moments[0], moments[-1]) == (begin, pytest.approx(begin + more))
        gaps = [other - one for one, other in pairwise(moments)]
        assert max(gaps) == pytest.approx(min(gaps), abs=1e-6)


def test_one_video_of_several_is_asked_alone() -> None:
    both = Caption(videos=("a" * 64, "b" * 64), names=("one", "two"), top=3)
    alone = both.alone(1)
    assert (alone.videos, alone.names, alone.top, alone.picture_count) == (("b" * 64,), ("two",), 3, 1)
