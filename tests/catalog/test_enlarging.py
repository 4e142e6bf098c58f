"""An upscaling request is looked at when it is submitted."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from modules.catalog import enlarging, faces
from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.catalog.upscaler_architecture import Compact
from modules.engine.vision.upscalers import UPSCALERS
from modules.schema.errors import InvalidRequest, UnusableFile
from modules.schema.media import digest_of
from modules.schema.requests import Enlarging, Faces, Hires, Img2Img, Redrawing, SdUpscale, Txt2Img, Upscale
from modules.settings import Settings
from tests.engine import upscaler_weights as made

Resolve = Callable[..., Upscale]


def png(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, "PNG")
    return file.getvalue()


PICTURE = png(40, 30)
DIGEST = digest_of(PICTURE)


@pytest.fixture
def resolver(settings: Settings) -> Resolver:
    made.save(settings.data_dir, "demo-x4", made.silent(Compact(width=2, layers=1, scale=4, slopes=2)))
    (settings.upscalers / "broken.safetensors").touch()
    return Resolver(Catalog(settings), (), (), UPSCALERS, read={DIGEST: PICTURE}.__getitem__)


def refusal(resolver: Resolver, **values: object) -> InvalidRequest:
    request = Upscale(pictures=(DIGEST,), enlarging=Enlarging(**values))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest) as refused:
        resolver(request)
    return refused.value


def test_upscalers_get_the_names_under_which_they_are_registered(resolver: Resolver) -> None:
    wanted = Enlarging(upscaler="DEMO-X4", second="nearest", second_share=0.3)
    request = resolver(Upscale(pictures=(DIGEST,), enlarging=wanted))
    assert isinstance(request, Upscale)
    assert (request.enlarging.upscaler, request.enlarging.second) == ("demo-x4", "Nearest")


@pytest.mark.parametrize("values", [{"second": "None"}, {"second": "nearest", "second_share": 0.0}])
def test_a_second_upscaler_that_is_not_seen_is_not_kept(resolver: Resolver, values: dict[str, object]) -> None:
    request = resolver(Upscale(pictures=(DIGEST,), enlarging=Enlarging(**values)))  # type: ignore[arg-type]
    assert isinstance(request, Upscale)
    assert request.enlarging.second == ""


def test_what_is_not_used_is_not_kept(resolver: Resolver) -> None:
    wanted = Upscale(
        pictures=(DIGEST,),
        enlarging=Enlarging(width=80, scale=3.0, second_share=0.1),
        faces=Faces(codeformer_weight=0.9),
    )
    request = resolver(wanted)
    assert request == Upscale(pictures=(DIGEST,), enlarging=Enlarging(width=80))


def test_without_a_picture_there_is_nothing_to_enlarge(resolver: Resolver) -> None:
    with pytest.raises(InvalidRequest, match="There is no picture to enlarge"):
        resolver(Upscale())


def test_an_upscaler_that_is_not_there_is_refused_with_those_that_are(resolver: Resolver) -> None:
    refused = refusal(resolver, upscaler="4x-Sharp")
    assert refused.field == "enlarging.upscaler"
    assert str(refused).endswith("Choose one of: None, Lanczos, Nearest, demo-x4.")
    assert refusal(resolver, second="4x-Sharp").field == "enlarging.second"


def test_latents_are_not_stretched_where_there_are_none(resolver: Resolver) -> None:
    assert "There is no upscaler 'Latent'" in str(refusal(resolver, upscaler="Latent"))


def test_a_file_that_cannot_be_used_says_why(resolver: Resolver) -> None:
    with pytest.raises(UnusableFile, match=r"^broken: The file is empty"):
        resolver(Upscale(pictures=(DIGEST,), enlarging=Enlarging(upscaler="broken")))


def test_a_result_that_is_too_large_is_refused_before_it_is_made(resolver: Resolver) -> None:
    assert "would become 16384 x 12288 pixels: too large" in str(refusal(resolver, width=16384))


def test_what_a_model_makes_on_the_way_is_counted(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enlarging, "LARGEST_BETWEEN", 160 * 120 - 1)
    assert "demo-x4 would make 160 x 120 pixels" in str(refusal(resolver, upscaler="demo-x4", scale=2.0))


def test_pictures_that_are_too_many_bytes_together_are_refused(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarging, "LARGEST_INPUTS", len(PICTURE) * 2 - 1)
    with pytest.raises(InvalidRequest, match="Give fewer at once"):
        resolver(Upscale(pictures=(DIGEST, DIGEST)))


def test_hires_fix_and_img2img_take_files_too(resolver: Resolver) -> None:
    from modules.engine.sampling.samplers import SAMPLERS
    from modules.engine.sampling.schedules import SCHEDULES

    resolver._samplers, resolver._schedules = SAMPLERS, SCHEDULES
    painted = resolver(Txt2Img(hires=Hires(enabled=True, upscaler="Demo-x4")))
    assert isinstance(painted, Txt2Img) and painted.hires.upscaler == "demo-x4"
    changed = resolver(Img2Img(picture=DIGEST, upscaler="Demo-x4"))
    assert isinstance(changed, Img2Img) and changed.upscaler == "demo-x4"
    redrawn = resolver(SdUpscale(picture=DIGEST, redrawing=Redrawing(upscaler="Demo-x4")))
    assert isinstance(redrawn, SdUpscale) and redrawn.redrawing.upscaler == "demo-x4"
    assert redrawn.size == (128, 128)  # a tile has the checkpoint's own size


def test_sd_upscale_refuses_a_result_that_is_too_large(resolver: Resolver) -> None:
    large = png(4000, 4000)
    resolver._read = {DIGEST: large}.__getitem__
    with pytest.raises(InvalidRequest, match="would become 32000 x 32000 pixels"):
        resolver(SdUpscale(picture=DIGEST, redrawing=Redrawing(scale=8.0)))


@pytest.mark.parametrize(
    ("wanted", "words"), [({"gfpgan": 1.0}, "by GFPGAN"), ({"codeformer": 0.2}, "read through spandrel_extra_arches")]
)
def test_faces_are_refused_with_what_is_missing(
    resolver: Resolver, wanted: dict[str, float], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    resolver._catalog.faces._models.joinpath("YuNet").mkdir()
    resolver._catalog.faces._models.joinpath("YuNet", "face.onnx").touch()
    with pytest.raises(UnusableFile, match=words):
        resolver(Upscale(pictures=(DIGEST,), faces=Faces(**wanted)))


def test_faces_without_a_file_that_finds_them_say_which(resolver: Resolver, tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"put OpenCV's YuNet .* into .*YuNet"):
        resolver(Upscale(pictures=(DIGEST,), faces=Faces(gfpgan=0.5)))


@pytest.mark.parametrize(
    ("values", "size", "expected"),
    [
        ({"scale": 1.5}, (101, 33), ((152, 50), (152, 50))),
        ({"width": 100}, (30, 20), ((100, 67), (100, 67))),
        ({"height": 100}, (30, 20), ((150, 100), (150, 100))),
        ({"width": 100, "height": 50}, (30, 30), ((100, 100), (100, 50))),
        ({"width": 100, "height": 50, "crop": False}, (30, 30), ((100, 100), (100, 100))),
        ({"width": 10, "height": 10}, (40, 20), ((20, 10), (10, 10))),
    ],
)
def test_sizes_follow_from_the_factor_or_from_what_is_to_be_come_to(
    values: dict[str, object], size: tuple[int, int], expected: object
) -> None:
    assert Enlarging(**values).sizes(size) == expected  # type: ignore[arg-type]
