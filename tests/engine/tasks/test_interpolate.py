"""Animations on the checkpoint that ships: judged by what is in their frames, and by what has to stay."""

import math
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from modules.engine.engine import Engine
from modules.engine.tasks.easel import Easel
from modules.engine.tasks.keyframes import Keyframes
from modules.schema.animation import Camera, Filming, Keyframe, Place
from modules.schema.events import FIRST_FRAME, LAST_FRAME, Job, Painted, Progress
from modules.schema.media import digest_of
from modules.schema.requests import Interpolate, Sampling
from tests.conftest import make_data_dir
from tests.engine.conftest import build, images, request_for
from tests.engine.pictures import drawing, png
from tests.looking import look

CIRCLE, SQUARE = "a red circle on a white background", "a blue square on a white background"
QUICK = Sampling(steps=6)
FLICKER = 14.0
"""The mean difference of two neighbouring frames of a walk in nine, at most, in steps of 255."""


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """In single precision, where batches are computed together."""
    return build(make_data_dir(tmp_path_factory.mktemp("exact") / "data"), precision="full")


def animation(*keyframes: Keyframe, fps: int = 4, closing: float = 0.0, **values: object) -> Interpolate:
    defaults: dict[str, object] = {"width": 128, "height": 128, "checkpoint": "demo.safetensors", "seed": 3}
    filming = Filming(fps=fps, closing=closing)
    return Interpolate(keyframes=keyframes, filming=filming, **{"sampling": QUICK, **defaults, **values})  # type: ignore[arg-type]


def walk(**values: object) -> Interpolate:
    return animation(Keyframe(prompt=CIRCLE), Keyframe(time=2, prompt=SQUARE), **values)  # type: ignore[arg-type]


def frames(engine: Engine, request: Interpolate, finished: int = 0, **inputs: bytes) -> dict[int, Image.Image]:
    painted: dict[int, Image.Image] = {}

    def report(event: Progress | Painted) -> None:
        if isinstance(event, Painted):
            painted[event.index] = event.picture.image()

    named = {name.replace("_", " "): data for name, data in inputs.items()}
    pictures = {digest_of(data): data for data in inputs.values()}
    engine.run(Job("test", request, finished, inputs={**named, **pictures}), report)
    return painted


def apart(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).mean())


def largest(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, float) - np.asarray(other, float)).max())


@pytest.mark.parametrize(("path", "bound"), [("linear", FLICKER), ("slerp", 1.5 * FLICKER)])
def test_a_red_circle_becomes_a_blue_square_on_white_without_flicker(engine: Engine, path: str, bound: float) -> None:
    painted = list(frames(engine, walk(sampling=Sampling(steps=20), text_path=path)).values())
    seen = [look(image) for image in painted]
    assert (seen[0].colour, seen[0].shape) == ("red", "circle")
    assert (seen[-1].colour, seen[-1].shape) == ("blue", "square")
    assert {one.background for one in seen} == {"white"}
    steps = [apart(one, other) for one, other in pairwise(painted)]
    assert max(steps) < bound
    assert apart(painted[0], painted[-1]) > 2 * bound


def test_at_its_keyframes_a_walk_is_what_these_paint_alone(engine: Engine) -> None:
    keys = (
        Keyframe(prompt=CIRCLE, seed=5), Keyframe(time=0.5, prompt=SQUARE, seed=9, guidance_scale=4.0),
        Keyframe(time=1, prompt="a green star on a black background"),
    )  # fmt: skip
    painted = frames(engine, animation(*keys))
    assert list(painted) == [0, 1, 2, 3, 4]
    for place, (prompt, seed, scale) in {0: (CIRCLE, 5, 7.0), 2: (SQUARE, 9, 4.0), 4: (keys[2].prompt, 3, 7.0)}.items():
        [alone] = images(engine, request_for(prompt, seed, steps=6, guidance_scale=scale))
        assert painted[place].tobytes() == alone.tobytes()
    assert len({image.tobytes() for image in painted.values()}) == 5  # at a joint no frame is painted twice


def test_frames_in_batches_are_those_made_one_at_a_time(exact: Engine) -> None:
    request = walk(sampling=Sampling(steps=6, sampler="Euler a"))
    single = frames(exact, request.model_copy(update={"batch_size": 1}))
    for size in (4, 16):
        batch = frames(exact, request.model_copy(update={"batch_size": size}))
        assert max(largest(batch[index], single[index]) for index in range(9)) <= 1


@pytest.mark.parametrize("finished", [1, 6, 8])
def test_after_a_break_the_missing_frames_are_the_same_to_the_byte(exact: Engine, finished: int) -> None:
    whole, rest = frames(exact, walk()), frames(exact, walk(), finished)
    assert list(rest) == list(range(finished, 9))
    assert all(rest[index].tobytes() == whole[index].tobytes() for index in rest)


def test_chosen_frames_are_those_of_the_whole_animation(exact: Engine) -> None:
    whole, some = frames(exact, walk()), frames(exact, walk(chosen=(0, 3, 8)))
    assert [largest(some[place], whole[frame]) <= 1 for place, frame in enumerate((0, 3, 8))] == [True] * 3


@pytest.mark.parametrize("sampler", ["Euler a", "DPM++ SDE"])
def test_samplers_that_add_noise_walk_smoothly_too(engine: Engine, sampler: str) -> None:
    sampling = Sampling(steps=10, sampler=sampler)
    keys = (Keyframe(prompt=CIRCLE, seed=1), Keyframe(time=2, prompt=SQUARE, seed=2))
    painted = list(frames(engine, animation(*keys, sampling=sampling)).values())
    assert max(apart(one, other) for one, other in pairwise(painted)) < 1.5 * FLICKER
    assert {look(image).background for image in painted} == {"white"}


def test_prompts_of_other_lengths_schedules_and_numbers_go_over_into_each_other(engine: Engine) -> None:
    long = ", ".join([CIRCLE] * 15)
    keys = (
        Keyframe(prompt=CIRCLE), Keyframe(time=0.5, prompt="a [red:blue:0.5] square on a white background"),
        Keyframe(time=1, prompt=f"{CIRCLE} AND {SQUARE} :0.5"), Keyframe(time=1.5, prompt=long, negative_prompt=long),
    )  # fmt: skip
    painted = frames(engine, animation(*keys))
    assert len({image.tobytes() for image in painted.values()}) == 7
    assert look(painted[0]).colour == "red"


def test_a_walk_between_pictures_starts_from_them(engine: Engine) -> None:
    blue, yellow = png(drawing("blue", "red")), png(drawing("yellow", "green"))
    keys = (
        Keyframe(prompt="a red circle on a blue background", picture=digest_of(blue), strength=0.3),
        Keyframe(time=1, prompt="a green circle on a yellow background", picture=digest_of(yellow)),
    )
    painted = frames(engine, animation(*keys, strength=0.3), one=blue, two=yellow)
    assert (look(painted[0]).background, look(painted[4]).background) == ("blue", "yellow")
    assert apart(painted[0], drawing("blue", "red")) < 25


def psnr(one: Image.Image, other: Image.Image) -> float:
    error = float(((np.asarray(one, float) - np.asarray(other, float)) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def morph(steps: int = 12) -> tuple[Interpolate, dict[str, bytes]]:
    pictures = {"one": png(drawing("blue", "red")), "two": png(drawing("yellow", "green", (20, 20, 90, 90)))}
    keys = (
        Keyframe(prompt="a red circle on a blue background", picture=digest_of(pictures["one"])),
        Keyframe(time=2, prompt="a green circle on a yellow background", picture=digest_of(pictures["two"])),
    )
    return animation(*keys, mode="morph", sampling=Sampling(steps=steps)), pictures


def test_a_morph_starts_and_ends_on_its_pictures_to_the_bit_and_moves_between(engine: Engine) -> None:
    request, pictures = morph()
    painted = frames(engine, request, **pictures)
    assert psnr(painted[0], drawing("blue", "red")) == math.inf
    assert psnr(painted[8], drawing("yellow", "green", (20, 20, 90, 90))) == math.inf
    seen = [look(image) for image in painted.values()]
    assert (seen[1].background, seen[7].background) == ("blue", "yellow")
    assert len({image.tobytes() for image in painted.values()}) == 9


def test_the_noise_of_a_picture_leads_back_to_what_the_vae_holds_of_it(exact: Engine) -> None:
    request, pictures = morph()
    held: list[Image.Image] = []

    def task(job: Job, bench, report):
        easel = Easel(job, bench, report)
        keyframes = Keyframes(easel, request)
        places = [Place(number, number, 0.0) for number in (0, 1)]
        walked = easel.go(keyframes.walk(places), range(2), keyframes.noise(places, [0, 1]))
        held.extend(picture.image() for picture in easel.decode(walked))
        for number in (0, 1):
            held.extend(picture.image() for picture in easel.decode(keyframes.latents(number)))

    exact._tasks = {**exact._tasks, "interpolate": task}  # type: ignore[attr-defined, assignment, dict-item]
    try:
        exact.run(Job("test", request, inputs={digest_of(data): data for data in pictures.values()}), lambda _: None)
    finally:
        from modules.engine.tasks.interpolate import interpolate

        exact._tasks = {**exact._tasks, "interpolate": interpolate}  # type: ignore[attr-defined, assignment]
    walked, encoded = held[:2], held[2:]
    assert min(psnr(one, other) for one, other in zip(walked, encoded, strict=True)) > 30


def test_an_orbit_closes_and_stays_near_its_seed(engine: Engine) -> None:
    request = animation(Keyframe(prompt=CIRCLE), closing=2, mode="orbit", orbit=0.2)
    painted = list(frames(engine, request).values())
    steps = [apart(one, other) for one, other in pairwise([*painted, painted[0]])]
    assert len(painted) == 8
    assert max(steps) < FLICKER
    assert min(steps) > 0
    assert {(look(image).colour, look(image).background) for image in painted} == {("red", "white")}


JOURNEY = animation(
    Keyframe(prompt=CIRCLE), Keyframe(time=1.5, prompt=CIRCLE), mode="camera", batch_size=1,
    camera=Camera(zoom="0:(1.12)", angle="0:(0)", strength="0:(0.3)"), sampling=Sampling(steps=12),
)  # fmt: skip


def test_a_camera_that_comes_closer_makes_the_figure_larger_in_the_same_colours(engine: Engine) -> None:
    painted = list(frames(engine, JOURNEY).values())
    areas = [look(image).area for image in painted]
    assert areas[-1] > 1.2 * areas[0]
    assert {(look(image).colour, look(image).background) for image in painted} == {("red", "white")}


def test_a_journey_goes_on_from_its_last_frame_as_if_it_had_not_been_cut_off(engine: Engine) -> None:
    whole = frames(engine, JOURNEY)
    kept = {FIRST_FRAME.replace(" ", "_"): png(whole[0]), LAST_FRAME.replace(" ", "_"): png(whole[3])}
    rest = frames(engine, JOURNEY, 4, **kept)
    assert [rest[index].tobytes() for index in rest] == [whole[index].tobytes() for index in range(4, 7)]
