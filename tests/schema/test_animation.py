import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modules.schema.animation import Filming, Keyframe, Place, frame_of, place_at, repeats, total_frames
from modules.schema.requests import Interpolate


def keyframes(*times: float, **values: object) -> tuple[Keyframe, ...]:
    return tuple(Keyframe(time=time, **values) for time in times)  # type: ignore[arg-type]


def test_frames_lie_between_their_keyframes_and_each_keyframe_has_one() -> None:
    keys, filming = keyframes(0, 1, 1.5), Filming(fps=4)
    places = [place_at(keys, filming, frame) for frame in range(total_frames(keys, filming))]
    assert places == [
        Place(0, 0, 0.0), Place(0, 1, 0.25), Place(0, 1, 0.5), Place(0, 1, 0.75), Place(1, 1, 0.0), Place(1, 2, 0.5),
        Place(2, 2, 0.0),
    ]  # fmt: skip


def test_a_closed_animation_goes_back_and_leaves_out_the_frame_that_is_the_first() -> None:
    keys, filming = keyframes(0, 1), Filming(fps=2, closing=1)
    places = [place_at(keys, filming, frame) for frame in range(total_frames(keys, filming))]
    assert places == [Place(0, 0, 0.0), Place(0, 1, 0.5), Place(1, 1, 0.0), Place(1, 0, 0.5)]


@given(st.lists(st.floats(0, 60), min_size=1, max_size=6, unique=True), st.integers(1, 30), st.floats(0, 5))
def test_no_two_frames_lie_at_the_same_place(times: list[float], fps: int, closing: float) -> None:
    filming = Filming(fps=fps, closing=closing)
    try:
        request = Interpolate(keyframes=keyframes(*times), filming=filming)
    except ValidationError as error:
        assert "same frame" in str(error)
        return
    places = [request.place(frame) for frame in range(request.frame_count)]
    assert len(set(places)) == len(places)
    assert [place.first for place in places if place.share == 0] == list(range(len(times)))


def test_keyframes_are_brought_into_the_order_of_their_times_and_may_come_as_json() -> None:
    request = Interpolate.model_validate({"keyframes": '[{"time": 3, "prompt": "b"}, {"time": 1, "prompt": "a"}]'})
    assert [keyframe.prompt for keyframe in request.keyframes] == ["a", "b"]
    assert frame_of(request.keyframes, request.filming, 0) == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"keyframes": keyframes(0, 0.01)}, "two keyframes stand on the same frame"),
        ({"keyframes": keyframes(0, 3600)}, "18000 are the most"),
        ({"keyframes": keyframes(0, 1), "chosen": (99,)}, "others were chosen"),
        ({"keyframes": [{"easing": "custom", "expression": "open('x')"}]}, "write a formula"),
        ({"keyframes": "no json"}, "Expecting value"),
        ({"camera": {"zoom": "0:(1"}}, "no part of a curve"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(values: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Interpolate.model_validate(values)


def test_a_held_keyframe_is_shown_longer() -> None:
    keys, filming = (Keyframe(time=0, hold=0.5), Keyframe(time=1)), Filming(fps=4)
    assert [repeats(keys, filming, frame) for frame in (0, 1, 4)] == [3, 1, 1]


def test_a_frame_alone_is_the_same_frame() -> None:
    request = Interpolate(
        keyframes=(Keyframe(time=0, seed=5), Keyframe(time=1, seed=9)), filming=Filming(fps=4), seed=1
    )
    alone = request.alone(3)
    assert (alone.picture_count, alone.makes_clip, alone.place(0), alone.seed_of(0)) == (1, False, request.place(3), 5)
    journey = request.model_copy(update={"mode": "camera"})
    assert journey.alone(3).chosen == (0, 1, 2, 3)
    assert [journey.seed_of(frame) for frame in range(5)] == [5, 6, 7, 8, 13]


def test_words_of_all_are_added_to_each_keyframes_own() -> None:
    keys = (Keyframe(time=0, prompt="a", negative_prompt="x"), Keyframe(time=1))
    request = Interpolate(keyframes=keys, prompt="sharp", negative_prompt="y")
    assert [request.key_words(number) for number in (0, 1)] == [("a, sharp", "x"), ("sharp", "y")]
