"""Text to image on the checkpoint that ships: judged by what is in the pictures."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from modules.catalog.headers import read_header
from modules.engine.engine import Engine
from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.prompts.evaluating import Timeline
from modules.schema.errors import KararliError
from modules.schema.events import Job, JobCancelled, Painted, PictureSkipped, Progress
from modules.schema.requests import Reading, Seeding, Txt2Img
from tests.conftest import DEMO
from tests.engine.conftest import build, images, paint, request_for
from tests.looking import look

NAMES = [sampler.name for sampler in SAMPLERS]


def difference(one: Image.Image, other: Image.Image) -> int:
    """The largest difference of any value, of 255."""
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


@pytest.mark.parametrize("sampler", NAMES)
def test_every_sampler_paints_what_was_asked_for(engine: Engine, sampler: str) -> None:
    (image,) = images(engine, request_for("a green square on a yellow background", 5, sampler=sampler, steps=20))
    seen = look(image)
    assert (seen.colour, seen.shape, seen.background) == ("green", "square", "yellow")


@pytest.mark.parametrize("schedule", [schedule.label for schedule in SCHEDULES])
def test_every_schedule_paints_what_was_asked_for(engine: Engine, schedule: str) -> None:
    (image,) = images(engine, request_for("a red circle on a blue background", 2, schedule=schedule))
    seen = look(image)
    assert (seen.colour, seen.shape, seen.background) == ("red", "circle", "blue")


@pytest.mark.parametrize("sampler", NAMES)
def test_picture_i_of_a_batch_is_the_single_picture_of_seed_plus_i(engine: Engine, sampler: str) -> None:
    prompt = "a pink star on a black background"
    together = images(engine, request_for(prompt, 40, sampler=sampler, steps=8, batch_size=3))
    for index, image in enumerate(together):
        (alone,) = images(engine, request_for(prompt, 40 + index, sampler=sampler, steps=8))
        assert difference(image, alone) <= 1


def test_batches_and_batch_sizes_make_the_same_pictures(engine: Engine) -> None:
    prompt = "a cyan heart on a white background"
    by_size = images(engine, request_for(prompt, 7, steps=6, batch_size=3, batch_count=2))
    by_count = images(engine, request_for(prompt, 7, steps=6, batch_size=2, batch_count=3))
    assert len(by_size) == len(by_count) == 6
    assert max(difference(one, other) for one, other in zip(by_size, by_count, strict=True)) <= 1


def test_the_same_request_gives_the_same_pixels_and_another_seed_others(engine: Engine) -> None:
    request = request_for("an orange diamond on a purple background", 11, sampler="DPM++ SDE", steps=6)
    (first,), (again,) = images(engine, request), images(engine, request)
    (other,) = images(engine, request.model_copy(update={"seed": 12}))
    assert first.tobytes() == again.tobytes()
    assert difference(first, other) > 10


@pytest.mark.parametrize("source", ["NV", "GPU"])
def test_noise_of_every_source_paints_what_was_asked_for(engine: Engine, source: str) -> None:
    request = request_for("a red circle on a blue background", 2, seeding=Seeding(noise_source=source))  # type: ignore
    seen = look(images(engine, request)[0])
    assert (seen.colour, seen.shape, seen.background) == ("red", "circle", "blue")


def test_a_small_variation_changes_the_picture_a_little_and_a_large_one_more(engine: Engine) -> None:
    def painted(strength: float) -> np.ndarray:
        seeding = Seeding(variation_seed=77, variation_strength=strength)
        (image,) = images(engine, request_for("a large green heart on a white background", 3, steps=8, seeding=seeding))
        return np.asarray(image).astype(int)

    plain, small, large = painted(0), painted(0.05), painted(1)
    assert 0 < np.abs(plain - small).mean() < np.abs(plain - large).mean()


def test_pictures_of_a_batch_with_a_variation_are_those_painted_alone(engine: Engine) -> None:
    def request(count: int, variation_seed: int) -> Txt2Img:
        seeding = Seeding(variation_seed=variation_seed, variation_strength=0.4, noise_source="NV")
        return request_for("a red ring on a white background", 3, steps=5, seeding=seeding, batch_size=count)

    together = images(engine, request(3, 20))
    for index, image in enumerate(together):
        assert difference(image, images(engine, request(1, 20 + index))[0]) <= 1


def test_a_job_that_was_cut_off_makes_only_the_missing_pictures(engine: Engine) -> None:
    request = request_for("a red ring on a white background", 3, steps=5, batch_size=2, batch_count=2)
    whole, rest = paint(engine, request), paint(engine, request, finished=1)
    assert [event.index for event in rest] == [1, 2, 3]
    assert [event.seed for event in rest] == [4, 5, 6]
    for event in rest:
        assert difference(event.picture.image(), whole[event.index].picture.image()) <= 1


def test_pictures_of_other_shapes_have_the_size_asked_for(engine: Engine) -> None:
    (image,) = images(engine, request_for("a blue circle on a white background", 1, width=192, height=104, steps=4))
    assert image.size == (192, 104)


def test_the_negative_prompt_counts_and_guidance_1_turns_it_off(engine: Engine) -> None:
    request = request_for("a circle on a white background", 1, steps=6)
    against = request.model_copy(update={"negative_prompt": "a red circle"})
    assert difference(images(engine, request)[0], images(engine, against)[0]) > 10
    off = request.sampling.model_copy(update={"guidance_scale": 1.0})
    request, against = (each.model_copy(update={"sampling": off}) for each in (request, against))
    assert images(engine, request)[0].tobytes() == images(engine, against)[0].tobytes()


def test_a_prompt_may_be_longer_than_one_pass_of_the_text_encoder(engine: Engine) -> None:
    short = "a red circle on a blue background"
    long = short + ", lovely" * 100
    with torch.inference_mode():
        text = engine._workbench().models.load("demo.safetensors").embed((long, ""), Reading(), Timeline(20))
    assert text.positive[0].at(0).shape[1] == 3 * 77
    assert text.negative.at(0).shape[1] == 77
    (image,), (other,) = (images(engine, request_for(prompt, 4)) for prompt in (short, long))
    assert difference(image, other) > 10


def test_full_precision_and_the_machines_own_paint_the_same_thing(engine: Engine, data_dir: Path) -> None:
    request = request_for("a yellow triangle on a green background", 8)
    (own,), (full,) = images(engine, request), images(build(data_dir, precision="full"), request)
    assert look(own).shape == look(full).shape == "triangle"
    assert np.abs(np.asarray(own).astype(int) - np.asarray(full).astype(int)).mean() < 12


def test_progress_grows_to_the_end_and_previews_show_the_colours(engine: Engine, listening) -> None:
    events, report = listening
    result = engine.run(
        Job("test", request_for("a red circle on a blue background", 7, steps=60, batch_count=2)), report
    )
    progress = [event for event in events if isinstance(event, Progress)]
    shares = [event.done for event in progress]
    assert shares == sorted(shares)
    assert shares[-1] > 0.9
    assert {event.steps for event in progress if event.step} == {60}
    assert [event.step for event in progress if event.step and event.picture == 1] == list(range(1, 61))
    assert any(event.seconds_left is not None for event in progress)
    previews = [event.preview for event in progress if event.preview]
    assert previews
    seen = look(_decoded(previews[-1]))
    assert (seen.colour, seen.background) == ("red", "blue")
    assert result.timings.sampling > 0
    assert result.timings.total >= result.timings.sampling + result.timings.decode


def test_a_preview_comes_close_to_the_picture_it_foretells(engine: Engine) -> None:
    model = engine._workbench().models.load("demo.safetensors")
    colours = {"red": (228, 20, 35), "cyan": (55, 195, 225), "yellow": (250, 222, 40)}
    for name, rgb in colours.items():
        plain = torch.tensor(rgb).float()[None, :, None, None].expand(1, 3, 128, 128) / 127.5 - 1
        with torch.inference_mode():
            latents = model.vae.model.encode(plain).latent_dist.mean * 0.18215
            preview = np.asarray(_decoded(model.vae.preview(latents))).reshape(-1, 3).mean(axis=0)
        assert np.abs(preview - rgb).max() < 40, name


def test_a_skipped_picture_is_left_out_and_the_next_one_follows(engine: Engine) -> None:
    painted: list[Painted] = []

    def report(event: Progress | Painted) -> None:
        if isinstance(event, Painted):
            painted.append(event)
        elif event.picture == 1 and event.step == 2:
            raise PictureSkipped

    engine.run(Job("test", request_for("a red circle", 1, steps=4, batch_count=3)), report)
    assert [event.index for event in painted] == [0, 2]


def test_a_cancelled_job_stops_at_the_next_step(engine: Engine) -> None:
    steps: list[int] = []

    def report(event: Progress | Painted) -> None:
        if isinstance(event, Progress) and event.step:
            steps.append(event.step)
            if event.step == 3:
                raise JobCancelled

    with pytest.raises(JobCancelled):
        engine.run(Job("test", request_for("a red circle", 1, steps=50)), report)
    assert steps == [1, 2, 3]


def _decoded(jpeg: bytes) -> Image.Image:
    return Image.open(io.BytesIO(jpeg))


def test_numbers_that_run_away_are_refused_with_a_sentence(data_dir: Path) -> None:
    tensors = load_file(DEMO)
    tensors["model.diffusion_model.out.2.bias"][:] = float("inf")
    file = data_dir / "models" / "Stable-diffusion" / "nan.safetensors"
    save_file(tensors, file, metadata=read_header(DEMO).metadata)
    with pytest.raises(KararliError, match="--precision full"):
        images(build(data_dir), request_for("x", checkpoint="nan.safetensors", steps=2))
