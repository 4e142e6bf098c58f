"""Pictures from pictures on the checkpoint that ships: judged by what is in them, and by what has to stay."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from modules.catalog.headers import read_header
from modules.engine.engine import Engine
from modules.schema.events import Job, Painted, Progress
from modules.schema.media import digest_of
from modules.schema.requests import (
    Canvas,
    Hires,
    Img2Img,
    Inpaint,
    Masking,
    Outpaint,
    Refiner,
    Sampling,
    Series,
    Txt2Img,
)
from tests.conftest import DEMO
from tests.engine.conftest import build, images
from tests.engine.pictures import drawing, mask_of, paint_from, png
from tests.looking import COLOURS, look

SIZE = {"width": 128, "height": 128}
DEMO_REQUEST = {"checkpoint": DEMO.name, "seed": 3}
QUICK = Sampling(steps=3)


def whole(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def share_of(image: Image.Image, colour: str) -> float:
    """Which share of the pixels has nearly that colour."""
    return float((np.abs(whole(image) - np.array(COLOURS[colour])).max(axis=2) < 40).mean())


def test_a_drawn_circle_becomes_a_star_where_it_was(engine: Engine) -> None:
    request = Img2Img(**DEMO_REQUEST, **SIZE, prompt="a green star on a blue background", strength=0.6)
    (image,) = paint_from(engine, request, picture=png(drawing()))
    seen = look(image)
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("green", "star", "blue", "center")


def test_more_strength_changes_more(engine: Engine) -> None:
    source = drawing()
    request = Img2Img(**DEMO_REQUEST, **SIZE, prompt="a green star on a blue background")
    changes = []
    for strength in (0.0, 0.3, 0.6):
        (image,) = paint_from(engine, request.model_copy(update={"strength": strength}), picture=png(source))
        changes.append(np.abs(whole(image) - whole(source)).mean())
    assert changes == sorted(changes)
    assert changes[-1] > 2 * changes[0]


def test_several_pictures_have_one_result_each_as_if_they_had_come_alone(engine: Engine) -> None:
    sources = {"wide": drawing("white").resize((192, 128)), "small": drawing("blue", "green")}
    files = {name: png(image) for name, image in sources.items()}
    series = Series(
        pictures=tuple(map(digest_of, files.values())),
        names=tuple(files),
        sizes=tuple(image.size for image in sources.values()),
    )
    request = Img2Img(**DEMO_REQUEST, **SIZE, prompt="a yellow star", strength=0.5, sampling=QUICK, series=series)
    results: dict[int, Painted] = {}

    def report(event: Progress | Painted) -> None:
        if isinstance(event, Painted):
            results[event.index] = event

    inputs = {digest_of(data): data for data in files.values()}
    engine.run(Job("several", request, inputs=inputs), report)
    assert [results[index].seed for index in range(2)] == [3, 4]
    first = results.pop(0)
    engine.run(Job("several", request, finished=1, inputs=inputs), report)
    assert list(results) == [1]  # what was delivered before is not made again
    results[0] = first
    for index, name in enumerate(files):
        alone = request.alone(index)
        assert (alone.picture, alone.size, alone.picture_count) == (digest_of(files[name]), sources[name].size, 1)
        (single,) = paint_from(engine, alone, picture=files[name])
        assert results[index].picture.image().tobytes() == single.tobytes()


@pytest.mark.parametrize("mode", ["stretch", "crop", "fill", "latent"])
def test_every_resize_mode_gives_the_size_asked_for_and_keeps_the_colours(engine: Engine, mode: str) -> None:
    request = Img2Img(
        **DEMO_REQUEST, width=192, height=128, prompt="a red circle on a blue background", strength=0.3,
        resize_mode=mode,  # type: ignore[arg-type]
    )  # fmt: skip
    (image,) = paint_from(engine, request, picture=png(drawing()))
    assert image.size == (192, 128)
    assert (look(image).colour, look(image).background) == ("red", "blue")


def test_only_what_is_masked_becomes_a_blue_square(engine: Engine) -> None:
    source, mask = drawing("white"), mask_of((20, 20, 108, 108))
    request = Inpaint(**DEMO_REQUEST, **SIZE, prompt="a blue square on a white background")
    (image,) = paint_from(engine, request, picture=png(source), mask=png(mask))
    seen = look(image)
    assert (seen.colour, seen.shape, seen.background) == ("blue", "square", "white")
    outside = np.zeros((128, 128), dtype=bool)
    outside[:9] = outside[-9:] = outside[:, :9] = outside[:, -9:] = True  # 4 pixels of blur reach 10 out
    assert (whole(image)[outside] == whole(source)[outside]).all()


@pytest.mark.parametrize("number", range(8))
def test_outside_any_mask_every_byte_stays_whatever_the_sizes(engine: Engine, number: int) -> None:
    chance = random.Random(number)
    size = chance.randint(64, 200), chance.randint(64, 200)
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    source = Image.fromarray(pixels)
    left, top = chance.randint(0, size[0] - 20), chance.randint(0, size[1] - 20)
    box = left, top, chance.randint(left + 5, size[0] - 1), chance.randint(top + 5, size[1] - 1)
    masking = Masking(blur=chance.choice([0, 2]), grow=chance.choice([-2, 0, 3]), only_masked=chance.random() < 0.5)
    request = Inpaint(
        **DEMO_REQUEST, width=chance.randrange(64, 160, 8), height=chance.randrange(64, 160, 8), sampling=QUICK,
        prompt="a red circle", masking=masking,
    )  # fmt: skip
    (image,) = paint_from(engine, request, picture=png(source), mask=png(mask_of(box, size)))
    reach = 3 + 6  # as far as the mask grows, and as far as its blur is felt
    outside = np.ones((size[1], size[0]), dtype=bool)
    outside[max(0, top - reach) : box[3] + reach + 1, max(0, left - reach) : box[2] + reach + 1] = False
    assert image.size == size
    assert (whole(image)[outside] == whole(source)[outside]).all()
    assert (whole(image) != whole(source)).any()


def test_an_inverted_mask_keeps_what_is_under_it(engine: Engine) -> None:
    source, mask = drawing("white"), mask_of((20, 20, 108, 108))
    request = Inpaint(**DEMO_REQUEST, **SIZE, prompt="x", sampling=QUICK, masking=Masking(invert=True, blur=0))
    (image,) = paint_from(engine, request, picture=png(source), mask=png(mask))
    assert (whole(image)[20:109, 20:109] == whole(source)[20:109, 20:109]).all()


@pytest.mark.parametrize("content", ["fill", "original", "latent noise", "latent nothing"])
def test_what_stands_under_the_mask_at_first_matters(engine: Engine, content: str) -> None:
    source, mask = drawing("white"), mask_of((40, 40, 88, 88))
    request = Inpaint(
        **DEMO_REQUEST, **SIZE, prompt="a red circle on a white background", strength=0.3,
        masking=Masking(content=content),  # type: ignore[arg-type]
    )  # fmt: skip
    (image,) = paint_from(engine, request, picture=png(source), mask=png(mask))
    (plain,) = paint_from(
        engine, request.model_copy(update={"masking": Masking()}), picture=png(source), mask=png(mask)
    )
    assert (image.tobytes() == plain.tobytes()) == (content == "original")


def test_transparent_parts_are_the_mask_where_none_is_given(engine: Engine) -> None:
    source = drawing("white").convert("RGBA")
    source.putalpha(Image.eval(mask_of((20, 20, 108, 108)), lambda shade: 255 - shade))
    request = Inpaint(**DEMO_REQUEST, **SIZE, prompt="a blue square on a white background", strength=1.0)
    (image,) = paint_from(engine, request, picture=png(source))
    assert (look(image).colour, look(image).background) == ("blue", "white")


def test_soft_inpainting_changes_dark_parts_of_the_mask_less(engine: Engine) -> None:
    source = drawing("white", box=(0, 32, 127, 96))
    mask = Image.new("L", (128, 128), 255)
    mask.paste(60, (0, 0, 64, 128))
    request = Inpaint(
        **DEMO_REQUEST, **SIZE, prompt="a green square on a green background", strength=0.9,
        masking=Masking(soft=True, blur=0),
    )  # fmt: skip
    (image,) = paint_from(engine, request, picture=png(source), mask=png(mask))
    change = np.abs(whole(image) - whole(source)).mean(axis=(0, 2))
    assert change[:56].mean() < change[72:].mean() / 2


@pytest.mark.parametrize("fill", ["edge", "latent noise", "telea", "navier-stokes"])
@pytest.mark.parametrize("rounds", [1, 2])
def test_a_blue_background_continued_to_the_right_stays_blue(engine: Engine, fill: str, rounds: int) -> None:
    source = drawing()
    request = Outpaint(
        **DEMO_REQUEST, width=192, height=128, canvas=Canvas(right=64, fill=fill, rounds=rounds, overlap=16),  # type: ignore[arg-type]
    )  # fmt: skip
    (image,) = paint_from(engine, request, picture=png(source))
    seen = look(image)
    assert share_of(image.crop((128, 0, 192, 128)), "blue") > 0.97
    assert image.size == (192, 128)
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("red", "circle", "blue", "left")
    assert (whole(image)[:, :112] == whole(source)[:, :112]).all()


def test_a_picture_is_extended_at_all_sides_by_any_number_of_pixels(engine: Engine) -> None:
    source = drawing(side=101)
    request = Outpaint(
        **DEMO_REQUEST, width=136, height=136, prompt="a red circle on a blue background", sampling=QUICK,
        batch_size=2, canvas=Canvas(left=13, right=7, top=5, bottom=21, overlap=4),
    )  # fmt: skip
    for image in paint_from(engine, request, picture=png(source)):
        assert image.size == (121, 127)
        assert (whole(image)[9:102, 17:110] == whole(source)[4:97, 4:97]).all()


@pytest.mark.parametrize("upscaler", ["Latent", "Latent (nearest-exact)", "Lanczos", "None", "Nearest"])
def test_hires_fix_keeps_colour_shape_and_place(engine: Engine, upscaler: str) -> None:
    request = Txt2Img(**DEMO_REQUEST, **SIZE, prompt="a small red circle in the top left corner on a blue background")
    (small,) = images(engine, request)
    hires = Hires(enabled=True, upscaler=upscaler, strength=0.6)
    (large,) = images(engine, request.model_copy(update={"hires": hires}))
    assert large.size == (256, 256)
    one, other = look(small), look(large)
    assert (one.colour, one.shape, one.background, one.place) == (
        other.colour, other.shape, other.background, other.place,
    )  # fmt: skip


def test_hires_fix_starts_from_a_picture_of_an_earlier_job(engine: Engine) -> None:
    data = png(drawing("white", "green"))
    hires = Hires(enabled=True, first_pass=digest_of(data), strength=0.3, prompt="a green circle on a white background")
    (image,) = paint_from(engine, Txt2Img(**DEMO_REQUEST, **SIZE, prompt="x", hires=hires), first_pass=data)
    assert image.size == (256, 256)
    assert (look(image).colour, look(image).background) == ("green", "white")


def test_picture_i_of_a_batch_is_the_single_picture_of_seed_plus_i(engine: Engine) -> None:
    request = Inpaint(
        **DEMO_REQUEST, **SIZE, prompt="a pink star", sampling=Sampling(steps=6), batch_size=2,
        masking=Masking(content="latent noise"),
    )  # fmt: skip
    files = {"picture": png(drawing()), "mask": png(mask_of((20, 20, 108, 108)))}
    together = paint_from(engine, request, **files)
    for index, image in enumerate(together):
        single = request.model_copy(update={"seed": request.seed + index, "batch_size": 1})
        (alone,) = paint_from(engine, single, **files)
        assert np.abs(whole(image) - whole(alone)).max() <= 1


def test_a_refiner_takes_over_at_its_point(data_dir: Path) -> None:
    tensors = load_file(DEMO)
    tensors["model.diffusion_model.out.2.weight"] *= 0.5
    file = DEMO.name.replace("demo", "other")
    folder = data_dir / "models" / "Stable-diffusion"
    save_file(tensors, folder / file, metadata=read_header(DEMO).metadata)
    engine = build(data_dir)
    request = Txt2Img(**DEMO_REQUEST, **SIZE, prompt="a red circle", sampling=Sampling(steps=8))
    (plain,) = images(engine, request)
    results = []
    for switch_at in (0.4, 1.0):
        refiner = Refiner(checkpoint=file, switch_at=switch_at)
        results += images(engine, request.model_copy(update={"refiner": refiner}))
    assert np.abs(whole(results[0]) - whole(plain)).max() > 10
    assert results[1].tobytes() == plain.tobytes()
    assert len(engine._workbench().models._models) == 2


@pytest.mark.parametrize("channels", [8, 9])
def test_checkpoints_that_see_a_picture_are_given_one(data_dir: Path, channels: int) -> None:
    tensors = load_file(DEMO)
    name = "model.diffusion_model.input_blocks.0.0.weight"
    more = torch.zeros(len(tensors[name]), channels - 4, 3, 3, dtype=tensors[name].dtype)
    more[:, -1] = 0.1
    tensors[name] = torch.cat([tensors[name], more], dim=1)
    save_file(
        tensors, data_dir / "models" / "Stable-diffusion" / "sees.safetensors",
        metadata=read_header(DEMO).metadata,
    )  # fmt: skip
    engine, (black, white) = build(data_dir), (Image.new("RGB", (128, 128), shade) for shade in ("black", "white"))
    shared = {"checkpoint": "sees.safetensors", "seed": 1, **SIZE, "sampling": QUICK, "prompt": "a red circle"}
    mask = png(mask_of((40, 40, 88, 88)))
    if channels == 9:
        request, files = Inpaint(**shared, strength=1.0), {"mask": mask}  # type: ignore[arg-type]
    else:
        request, files = Img2Img(**shared, strength=1.0, image_guidance_scale=1.2), {}  # type: ignore[arg-type]
    (one,), (other,) = (paint_from(engine, request, picture=png(image), **files) for image in (black, white))
    middle = (slice(60, 68), slice(60, 68))
    assert np.abs(whole(one)[middle] - whole(other)[middle]).max() > 3
