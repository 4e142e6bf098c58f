"""Upscaling by what comes out: pixels, sizes, order, and what was used."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modules.catalog.upscaler_architecture import Compact, Rrdb
from modules.engine.engine import Engine
from modules.engine.vision.faces import SIDE, TEMPLATE, redrawn, upright
from modules.schema.events import Job, Painted, PictureSkipped, Progress
from modules.schema.media import digest_of
from modules.schema.requests import Enlarging, Hires, Img2Img, Redrawing, Sampling, SdUpscale, Tiles, Txt2Img, Upscale
from tests.conftest import DEMO
from tests.engine import upscaler_weights as made
from tests.engine.conftest import images
from tests.engine.pictures import drawing, paint_from, png
from tests.looking import look

NEAREST_X2 = made.silent(Compact(width=4, layers=1, scale=2, slopes=4))
NEAREST_X4 = made.carrying(Rrdb(width=4, growth=2, blocks=1, doublings=2))
SAME = made.silent(Compact(width=4, layers=1, scale=1, slopes=4))


@pytest.fixture(scope="module", autouse=True)
def models(shared_data_dir: Path) -> Path:
    made.save(shared_data_dir, "nearest-x2", NEAREST_X2)
    made.save(shared_data_dir, "sub/nearest-x4", NEAREST_X4)
    made.save(shared_data_dir, "same-x1", SAME)
    return shared_data_dir


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def run(engine: Engine, request: Upscale, *sources: Image.Image, finished: int = 0) -> list[Painted]:
    files = [png(image) for image in sources]
    request = request.model_copy(update={"pictures": tuple(map(digest_of, files))})
    said: list[Progress | Painted] = []
    inputs = {digest_of(data): data for data in files}
    engine.run(Job("test", request, finished, inputs=inputs), said.append)
    return [event for event in said if isinstance(event, Painted)]


def enlarged(engine: Engine, source: Image.Image, **values: object) -> Image.Image:
    [painted] = run(engine, Upscale(enlarging=Enlarging(**values)), source)  # type: ignore[arg-type]
    return painted.picture.image()


def apart(one: Image.Image, other: Image.Image) -> int:
    assert one.size == other.size
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


@pytest.mark.parametrize("name", ["Nearest", "nearest-x2", "sub/nearest-x4"])
def test_each_pixel_becomes_a_square(engine: Engine, name: str) -> None:
    source, scale = noise(37, 23), 4.0
    large = enlarged(engine, source, upscaler=name, scale=scale)
    assert apart(large, source.resize((148, 92), Image.Resampling.NEAREST)) == 0


def test_lanczos_is_lanczos(engine: Engine) -> None:
    source = noise(31, 17)
    assert apart(enlarged(engine, source, scale=2.5), source.resize((78, 42), Image.Resampling.LANCZOS)) == 0


def test_what_a_model_makes_too_large_is_taken_back(engine: Engine) -> None:
    source = noise(30, 20)
    large = enlarged(engine, source, upscaler="sub/nearest-x4", scale=3.0)
    by_hand = source.resize((120, 80), Image.Resampling.NEAREST).resize((90, 60), Image.Resampling.LANCZOS)
    assert apart(large, by_hand) == 0


def test_a_model_of_factor_1_goes_over_the_picture_once(engine: Engine) -> None:
    source = noise(30, 20)
    assert apart(enlarged(engine, source, upscaler="same-x1", scale=1.0), source) == 0
    by_hand = source.resize((60, 40), Image.Resampling.LANCZOS)
    assert apart(enlarged(engine, source, upscaler="same-x1", scale=2.0), by_hand) == 0


@pytest.mark.parametrize("share", [0.25, 0.8])
def test_two_upscalers_are_mixed_by_their_share(engine: Engine, share: float) -> None:
    source = noise(20, 20)
    one, other = (np.asarray(source.resize((40, 40), how), float) for how in (1, 0))  # lanczos, nearest
    mixed = enlarged(engine, source, upscaler="Lanczos", second="nearest-x2", second_share=share)
    assert np.abs(np.asarray(mixed, float) - (one * (1 - share) + other * share)).max() <= 1


def test_a_size_is_come_to_and_cut_in_the_middle(engine: Engine) -> None:
    source = noise(40, 20)
    square = enlarged(engine, source, upscaler="Nearest", width=60, height=60)
    whole = source.resize((120, 60), Image.Resampling.NEAREST)
    assert apart(square, whole.crop((30, 0, 90, 60))) == 0
    assert enlarged(engine, source, width=60, height=60, crop=False).size == (120, 60)


def test_tiles_make_no_difference(engine: Engine) -> None:
    source = noise(200, 150)
    results = [
        enlarged(engine, source, upscaler="nearest-x2", tiles=Tiles(tile=tile, overlap=16)) for tile in (0, 64, 256)
    ]
    assert apart(results[0], results[1]) == apart(results[0], results[2]) == 0


def test_several_pictures_give_one_result_each_and_go_on_where_they_stopped(engine: Engine) -> None:
    sources = [noise(10 + 2 * index, 8, index) for index in range(4)]
    request = Upscale(enlarging=Enlarging(upscaler="nearest-x2"))
    painted = run(engine, request, *sources, finished=2)
    assert [event.index for event in painted] == [2, 3]
    assert [event.picture.width for event in painted] == [28, 32]
    assert all(event.last_of_batch for event in painted)


def test_a_skipped_picture_is_left_and_the_next_one_made(engine: Engine) -> None:
    sources = [noise(16, 16, index) for index in range(3)]
    files = [png(image) for image in sources]
    request = Upscale(pictures=tuple(map(digest_of, files)), enlarging=Enlarging(upscaler="nearest-x2"))
    painted: list[int] = []

    def report(event: Progress | Painted) -> None:
        if isinstance(event, Painted):
            painted.append(event.index)
        elif event.stage == "Enlarging" and event.picture == 1:
            raise PictureSkipped

    engine.run(Job("test", request, inputs=dict(zip(request.pictures, files, strict=True))), report)
    assert painted == [0, 2]


def test_progress_grows_and_is_told_for_every_tile(engine: Engine) -> None:
    files = [png(noise(100, 100, index)) for index in range(2)]
    enlarging = Enlarging(upscaler="nearest-x2", second="sub/nearest-x4", tiles=Tiles(tile=64, overlap=0))
    request = Upscale(pictures=tuple(map(digest_of, files)), enlarging=enlarging)
    said: list[Progress | Painted] = []
    engine.run(Job("test", request, inputs=dict(zip(request.pictures, files, strict=True))), said.append)
    shares = [event.done for event in said if isinstance(event, Progress) and event.stage == "Enlarging"]
    assert len(shares) == 16
    assert shares == sorted(shares)
    assert (shares[3], shares[7], shares[-1]) == (0.25, 0.5, 1.0)


def test_the_files_that_were_used_are_recorded_and_no_checkpoint(engine: Engine, models: Path) -> None:
    request = Upscale(enlarging=Enlarging(upscaler="nearest-x2", second="sub/nearest-x4"))
    [painted] = run(engine, request, noise(8, 8))
    folder = models / "models" / "ESRGAN"
    assert painted.environment.checkpoint is None
    assert [(file.kind, file.name, file.sha256) for file in painted.environment.files] == [
        ("upscaler", name, hashlib.sha256((folder / f"{name}.safetensors").read_bytes()).hexdigest())
        for name in ("nearest-x2", "sub/nearest-x4")
    ]


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGBA", "I;16", "P"])
def test_pictures_of_any_kind_are_enlarged(engine: Engine, mode: str) -> None:
    source = drawing() if mode == "RGBA" else drawing("white", "black")
    if mode == "I;16":
        wide = Image.fromarray(np.asarray(source.convert("L")).astype(np.uint16) * 257)
        data = png(wide)
    elif mode == "CMYK":
        file = io.BytesIO()
        source.convert("CMYK").save(file, "TIFF")
        data = file.getvalue()
    else:
        data, source = png(source.convert(mode)), source.convert(mode).convert("RGB")
    request = Upscale(pictures=(digest_of(data),), enlarging=Enlarging(upscaler="nearest-x2"))
    said: list[Progress | Painted] = []
    engine.run(Job("test", request, inputs={request.pictures[0]: data}), said.append)
    seen = said[-1]
    assert isinstance(seen, Painted)
    assert apart(seen.picture.image(), source.resize((256, 256), Image.Resampling.NEAREST)) <= 2


def test_hires_fix_enlarges_by_a_file_and_records_it(engine: Engine) -> None:
    request = Txt2Img(
        prompt="a red circle on a blue background", seed=0, width=128, height=128, checkpoint=DEMO.name,
        sampling=Sampling(steps=8),
        hires=Hires(enabled=True, upscaler="nearest-x2", strength=0.0),
    )  # fmt: skip
    [by_file] = images(engine, request)
    [by_filter] = images(
        engine, request.model_copy(update={"hires": Hires(enabled=True, upscaler="Nearest", strength=0.0)})
    )
    assert apart(by_file, by_filter) == 0
    said: list[Progress | Painted] = []
    engine.run(Job("test", request), said.append)
    assert isinstance(said[-1], Painted)
    assert [(file.kind, file.name) for file in said[-1].environment.files][1:] == [("upscaler", "nearest-x2")]


def test_img2img_grows_its_picture_by_the_upscaler_it_is_given(engine: Engine) -> None:
    request = Img2Img(
        prompt="a red circle on a blue background", seed=1, width=128, height=128, checkpoint=DEMO.name, strength=0.0
    )
    small = drawing(side=64, box=(16, 16, 48, 48))
    results = [
        paint_from(engine, request.model_copy(update={"upscaler": name}), picture=png(small))[0]
        for name in ("nearest-x2", "Nearest", "None")
    ]
    assert apart(results[0], results[1]) == 0
    assert apart(results[0], results[2]) > 4


def redrawing(**values: object) -> SdUpscale:
    shared = {"checkpoint": DEMO.name, "seed": 3, "width": 128, "height": 128, "sampling": Sampling(steps=8)}
    return SdUpscale(**{**shared, "prompt": "a red circle on a blue background", **values})  # type: ignore[arg-type]


def test_sd_upscale_keeps_colour_shape_and_place(engine: Engine) -> None:
    source = drawing(box=(8, 8, 72, 72))
    [large] = paint_from(engine, redrawing(strength=0.3), picture=png(source))
    seen = look(large)
    assert large.size == (256, 256)
    assert (seen.colour, seen.shape, seen.background, seen.place) == ("red", "circle", "blue", "top left")


def test_sd_upscale_leaves_no_seams_on_a_plain_picture(engine: Engine) -> None:
    source = Image.new("RGB", (150, 100), (30, 70, 215))
    request = redrawing(strength=0.2, prompt="a blue background", redrawing=Redrawing(scale=2.0, overlap=64))
    [large] = paint_from(engine, request, picture=png(source))
    values = np.asarray(large).astype(float)
    assert large.size == (300, 200)
    inside = values[8:-8, 8:-8].mean(axis=2)  # at its edges the VAE paints a rim, tiles or not
    assert max(np.abs(np.diff(inside.mean(axis=axis))).max() for axis in (0, 1)) < 1.5


def test_sd_upscale_paints_each_tile_with_noise_of_its_own(engine: Engine) -> None:
    source = Image.new("RGB", (128, 64), (30, 70, 215))
    request = redrawing(strength=0.9, redrawing=Redrawing(scale=2.0, overlap=0), batch_count=2)
    first, second = paint_from(engine, request, picture=png(source))
    left, right = (np.asarray(first.crop((x, 0, x + 128, 128))).astype(int) for x in (0, 128))
    assert np.abs(left - right).max() > 8
    assert apart(first, second) > 8


# ---- faces: where they are taken from and laid back; what draws them is other people's


def test_a_turned_face_is_brought_upright_and_back() -> None:
    angle, scale = np.radians(20), 0.2
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = TEMPLATE @ turn.T + (150, 90)
    there = upright(points)
    assert np.abs(points @ there[:, :2].T + there[:, 2] - TEMPLATE).max() < 1e-6
    source, seen = noise(400, 300), []

    def paint_green(face: Image.Image) -> Image.Image:
        seen.append(face.size)
        return Image.new("RGB", face.size, (0, 255, 0))

    result = np.asarray(redrawn(source, [points], paint_green))
    nose = tuple(points[2].round().astype(int))
    assert seen == [(SIDE, SIDE)]
    assert tuple(result[nose[1], nose[0]]) == (0, 255, 0)
    assert (result[:60, :60] == np.asarray(source)[:60, :60]).all()


def test_a_face_that_is_drawn_as_it_was_leaves_the_picture_nearly_as_it_was() -> None:
    source = Image.fromarray(np.broadcast_to(np.linspace(0, 255, 300), (200, 300)).astype(np.uint8)).convert("RGB")
    points = TEMPLATE * 0.25 + (80, 40)
    assert apart(redrawn(source, [points], lambda face: face), source) <= 2


def test_without_faces_nothing_changes() -> None:
    source = noise(20, 20)
    assert redrawn(source, [], lambda face: face).tobytes() == source.tobytes()
