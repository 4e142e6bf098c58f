from pathlib import Path

import pytest

from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.schema.animation import Filming, Keyframe
from modules.schema.errors import InvalidRequest
from modules.schema.requests import Interpolate, Refiner, Sampling, Stochastic
from modules.schema.sampling import Sampler
from modules.settings import Settings
from tests.catalog.headers_of import write
from tests.catalog.test_resolving import SCHEDULES, _stay
from tests.engine.pictures import drawing, png

SAMPLERS = [Sampler(name, begin=lambda: _stay, dials=("churn", "noise_scale")) for name in ("Euler", "Heun")]
TWO = (Keyframe(prompt="a"), Keyframe(time=1, prompt="b"))
PICTURE = "0" * 64


@pytest.fixture
def resolve(tmp_path: Path) -> Resolver:
    settings = Settings(data_dir=tmp_path)
    write(settings.checkpoints / "tiny.safetensors", **{"modelspec.resolution": "128x128"})
    lists = settings.models / "wildcards"
    lists.mkdir(parents=True)
    (lists / "colour.txt").write_text("red\ngreen\nblue")
    return Resolver(Catalog(settings), SAMPLERS, SCHEDULES, read=lambda _digest: png(drawing(side=192)))


def test_a_resolved_animation_leaves_nothing_open_and_resolves_to_itself(resolve: Resolver) -> None:
    keys = (Keyframe(prompt="a __colour__ barn", seed=-1), Keyframe(time=1, prompt="{x|y}"))
    once = resolve(Interpolate(keyframes=keys, prompt="{sharp|soft}"))
    assert isinstance(once, Interpolate)
    assert once.keyframes[0].prompt in ("a red barn", "a green barn", "a blue barn")
    assert once.keyframes[1].prompt in ("x", "y")
    assert once.prompt in ("sharp", "soft")
    assert (once.keyframes[0].seed or 0) >= 0
    assert once.seed >= 0
    assert once.size == (128, 128)
    assert resolve(once) == once
    assert Interpolate.model_validate_json(once.model_dump_json()) == once


def test_the_size_follows_from_the_first_picture(resolve: Resolver) -> None:
    keys = (Keyframe(picture=PICTURE), Keyframe(time=1))
    assert resolve(Interpolate(keyframes=keys)).size == (192, 192)  # type: ignore[union-attr]


def test_a_morph_walks_by_the_one_method_that_can_be_gone_backwards(resolve: Resolver) -> None:
    keys = (Keyframe(picture=PICTURE), Keyframe(time=1, picture=PICTURE))
    asked = Interpolate(keyframes=keys, mode="morph", sampling=Sampling(sampler="Heun"), stochastic=Stochastic(churn=5))
    resolved = resolve(asked)
    assert isinstance(resolved, Interpolate)
    assert (resolved.sampling.sampler, resolved.stochastic) == ("Euler", Stochastic())


def test_a_cameras_frames_are_made_one_at_a_time(resolve: Resolver) -> None:
    assert resolve(Interpolate(keyframes=TWO, mode="camera")).batch_size == 1


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Interpolate(), "There are no keyframes. Add one"),
        (Interpolate(keyframes=TWO[:1]), "one frame only. Add a keyframe"),
        (Interpolate(keyframes=TWO, mode="morph"), "the keyframe at 0 s has none"),
        (Interpolate(keyframes=TWO, refiner=Refiner(checkpoint="x")), "takes no refiner"),
        (Interpolate(keyframes=(*TWO, Keyframe(time=2, prompt="<lora:x:1>"))), "asks for a network"),
    ],
)
def test_what_cannot_be_animated_is_refused_with_a_sentence(
    resolve: Resolver, request_: Interpolate, words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        resolve(request_)


def test_one_keyframe_is_enough_for_a_closed_orbit(resolve: Resolver) -> None:
    asked = Interpolate(keyframes=TWO[:1], mode="orbit", filming=Filming(fps=4, closing=1))
    assert resolve(asked).picture_count == 4
