"""What input pictures mean for a request, looked at when it is submitted."""

from pathlib import Path

import pytest
from PIL import Image

from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.engine.vision.upscalers import UPSCALERS
from modules.schema.errors import InvalidRequest, UnusableFile
from modules.schema.media import digest_of
from modules.schema.requests import Canvas, Hires, Img2Img, Inpaint, Masking, Outpaint, Refiner, Series, Txt2Img
from modules.settings import Settings
from tests.catalog.headers_of import write
from tests.engine.pictures import mask_of, png

PICTURES = {
    "small": png(Image.new("RGB", (150, 100))),
    "large": png(Image.new("RGB", (2000, 1000))),
    "mask": png(mask_of((10, 10, 50, 50), (150, 100))),
    "half mask": png(mask_of((5, 5, 25, 25), (75, 50))),
    "square mask": png(mask_of((5, 5, 25, 25), (64, 64))),
    "black": png(Image.new("L", (150, 100))),
    "white": png(Image.new("L", (150, 100), 255)),
}
DIGESTS = {name: digest_of(data) for name, data in PICTURES.items()}
STORE = {digest_of(data): data for data in PICTURES.values()}


@pytest.fixture
def resolve(tmp_path: Path) -> Resolver:
    settings = Settings(data_dir=tmp_path)
    write(settings.checkpoints / "tiny.safetensors", **{"modelspec.resolution": "128x128"})
    return Resolver(Catalog(settings), SAMPLERS, SCHEDULES, UPSCALERS, STORE.__getitem__)


def test_an_open_size_is_the_pictures_own_in_multiples_of_8(resolve: Resolver) -> None:
    assert resolve(Img2Img(picture=DIGESTS["small"])).size == (152, 104)


def test_a_large_picture_is_painted_at_a_size_that_the_checkpoint_can_paint(resolve: Resolver) -> None:
    assert resolve(Img2Img(picture=DIGESTS["large"])).size == (360, 184)


def test_one_side_follows_from_the_other(resolve: Resolver) -> None:
    assert resolve(Img2Img(picture=DIGESTS["large"], width=256)).size == (256, 128)
    assert resolve(Img2Img(picture=DIGESTS["large"], height=64)).size == (128, 64)


def test_only_masked_is_painted_at_the_checkpoints_size(resolve: Resolver) -> None:
    request = Inpaint(picture=DIGESTS["large"], masking=Masking(only_masked=True, invert=True))
    assert resolve(request).size == (128, 128)


def test_a_mask_of_other_size_and_the_same_proportions_is_taken(resolve: Resolver) -> None:
    assert resolve(Inpaint(picture=DIGESTS["small"], mask=DIGESTS["half mask"])).size == (152, 104)


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Img2Img(), "There is no picture"),
        (Inpaint(picture=DIGESTS["small"], mask=DIGESTS["square mask"]), "64 x 64 pixels and the picture 150 x 100"),
        (Inpaint(picture=DIGESTS["small"], mask=DIGESTS["black"]), "The mask is empty"),
        (Inpaint(picture=DIGESTS["small"]), "The mask is empty"),
        (
            Inpaint(picture=DIGESTS["small"], mask=DIGESTS["white"], masking=Masking(invert=True)),
            "The mask is empty.*inverted",
        ),
        (Outpaint(picture=DIGESTS["small"]), "not extended at any side"),
        (Txt2Img(hires=Hires(enabled=True, upscaler="Magic")), "There is no upscaler 'Magic'"),
        (Txt2Img(hires=Hires(enabled=True, sampler="Magic")), "There is no sampler 'Magic'"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(
    resolve: Resolver, request_: Img2Img | Inpaint | Outpaint | Txt2Img, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        resolve(request_)


def test_a_refiner_that_is_not_there_is_refused(resolve: Resolver) -> None:
    with pytest.raises(UnusableFile, match="no checkpoint 'gone'"):
        resolve(Txt2Img(refiner=Refiner(checkpoint="gone")))


def test_what_is_not_used_is_not_kept(resolve: Resolver) -> None:
    request = resolve(Txt2Img(hires=Hires(prompt="words"), refiner=Refiner(switch_at=0.3)))
    assert (request.hires, request.refiner) == (Hires(), Refiner())


def test_names_of_the_second_pass_are_those_registered(resolve: Resolver) -> None:
    hires = resolve(Txt2Img(hires=Hires(enabled=True, sampler="k_euler_a", upscaler="lanczos"))).hires
    assert (hires.sampler, hires.upscaler, hires.schedule) == ("Euler a", "Lanczos", "")


def test_an_outpainting_request_is_painted_at_the_canvas_size(resolve: Resolver) -> None:
    assert resolve(Outpaint(picture=DIGESTS["small"], canvas=Canvas(left=30, bottom=60))).size == (184, 160)


def test_each_of_several_pictures_has_a_size_of_its_own_and_its_name(resolve: Resolver) -> None:
    series = Series(pictures=(DIGESTS["small"], DIGESTS["large"]), names=("one", "two"))
    resolved = resolve(Img2Img(series=series))
    assert resolved.series.sizes == ((152, 104), (360, 184))
    assert resolved.picture_count == 2
    assert [resolved.alone(index).size for index in range(2)] == [(152, 104), (360, 184)]
    assert resolve(resolved.alone(1)) == resolved.alone(1)
    assert resolve(Img2Img(series=series, width=128)).series.sizes == ((128, 88), (128, 64))


def test_several_pictures_are_not_also_several_pictures_each() -> None:
    with pytest.raises(ValueError, match="one result each"):
        Img2Img(series=Series(pictures=(DIGESTS["small"],) * 2), batch_size=2)
    with pytest.raises(ValueError, match="2 pictures, and 1 names"):
        Series(pictures=(DIGESTS["small"],) * 2, names=("one",))
