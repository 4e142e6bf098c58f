import random
from pathlib import Path

import pytest

from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.engine.vision.upscalers import UPSCALERS
from modules.schema.errors import InvalidRequest, UnusableFile
from modules.schema.requests import LARGEST_SEED, RANDOM_SEED, Hires, Reading, Sampling, Seeding, Stochastic, Txt2Img
from modules.schema.sampling import Sampler, Schedule
from modules.settings import Settings
from tests.catalog.headers_of import write


def _stay(latents: object, _step: object) -> object:
    return latents


SAMPLERS = [
    Sampler("Walk", begin=lambda: _stay, aliases=("k_walk",)),
    Sampler("Run", begin=lambda: _stay, aliases=("sprint", "Walk"), dials=("eta", "noise_scale"), eta=0.5),
]
SCHEDULES = [
    Schedule("even", "Even", lambda steps, _levels: [0.0] * (steps + 1), aliases=("uniform",)),
    Schedule("steep", "Steep slope", lambda steps, _levels: [0.0] * (steps + 1)),
]
SAMPLING = Sampling(sampler="Walk")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Settings(data_dir=tmp_path).checkpoints


@pytest.fixture
def resolve(tmp_path: Path, folder: Path) -> Resolver:
    write(folder / "sub" / "tiny.safetensors", **{"modelspec.resolution": "128x128"})
    return Resolver(Catalog(Settings(data_dir=tmp_path)), SAMPLERS, SCHEDULES, UPSCALERS)


def test_a_resolved_request_leaves_nothing_open(resolve: Resolver) -> None:
    request = resolve(Txt2Img(prompt="a fjord", sampling=SAMPLING))
    assert request.checkpoint == "sub/tiny.safetensors"
    assert request.size == (128, 128)
    assert 0 <= request.seed <= LARGEST_SEED
    assert request.prompt == "a fjord"


def test_resolving_again_changes_nothing(resolve: Resolver) -> None:
    once = resolve(Txt2Img(sampling=SAMPLING, batch_count=3))
    assert resolve(once) == once
    assert Txt2Img.model_validate_json(once.model_dump_json()) == once


def test_given_values_stay(resolve: Resolver) -> None:
    request = Txt2Img(
        prompt="words",
        negative_prompt="others",
        checkpoint="sub/tiny.safetensors",
        width=64,
        height=4096,
        seed=7,
        batch_count=2,
        batch_size=3,
        sampling=Sampling(sampler="Run", schedule="Steep slope", steps=3, guidance_scale=2.5),
    )
    assert resolve(request) == request


@pytest.mark.parametrize("seed", [0, 1, LARGEST_SEED])
def test_a_given_seed_stays_also_at_the_ends_of_its_range(seed: int, resolve: Resolver) -> None:
    assert resolve(Txt2Img(seed=seed, sampling=SAMPLING)).seed == seed


def test_one_given_side_stays_and_the_other_is_the_checkpoints(resolve: Resolver) -> None:
    assert resolve(Txt2Img(width=256, sampling=SAMPLING)).size == (256, 128)
    assert resolve(Txt2Img(height=256, sampling=SAMPLING)).size == (128, 256)


def test_a_random_seed_differs_from_request_to_request(resolve: Resolver) -> None:
    seeds = {resolve(Txt2Img(seed=RANDOM_SEED, sampling=SAMPLING)).seed for _ in range(20)}
    assert len(seeds) > 15


def test_a_random_seed_leaves_room_for_the_seeds_of_all_pictures(
    resolve: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AlwaysTheLargest(random.SystemRandom):
        def randrange(self, start: int, *_: object) -> int:
            return start - 1

    monkeypatch.setattr(random, "SystemRandom", AlwaysTheLargest)
    request = resolve(Txt2Img(batch_count=100, batch_size=16, sampling=SAMPLING))
    assert request.seed > LARGEST_SEED - 2 * request.picture_count
    assert request.seed_of(request.picture_count - 1) <= LARGEST_SEED


@pytest.mark.parametrize(
    ("asked", "registered"), [("walk", "Walk"), ("WALK", "Walk"), ("K_Walk", "Walk"), ("Sprint", "Run")]
)
def test_a_sampler_gets_its_registered_spelling(asked: str, registered: str, resolve: Resolver) -> None:
    assert resolve(Txt2Img(sampling=Sampling(sampler=asked))).sampling.sampler == registered


@pytest.mark.parametrize(
    ("asked", "registered"),
    [("even", "Even"), ("UNIFORM", "Even"), ("steep", "Steep slope"), ("automatic", "Automatic")],
)
def test_a_schedule_gets_its_registered_spelling(asked: str, registered: str, resolve: Resolver) -> None:
    resolved = resolve(Txt2Img(sampling=Sampling(sampler="Walk", schedule=asked)))
    assert resolved.sampling.schedule == registered


@pytest.mark.parametrize(
    ("asked", "schedule", "named"),
    [
        ("Walk Steep slope", "Automatic", ("Walk", "Steep slope")),
        ("k_walk UNIFORM", "Automatic", ("Walk", "Even")),
        ("Run Even", "steep", ("Run", "Steep slope")),
    ],
)
def test_an_old_joined_name_is_a_sampler_and_a_schedule(
    asked: str, schedule: str, named: tuple[str, str], resolve: Resolver
) -> None:
    sampling = resolve(Txt2Img(sampling=Sampling(sampler=asked, schedule=schedule))).sampling
    assert (sampling.sampler, sampling.schedule) == named


def test_a_variation_gets_a_seed_of_its_own_and_only_where_there_is_one(resolve: Resolver) -> None:
    def resolved(seeding: Seeding) -> int:
        return resolve(Txt2Img(sampling=SAMPLING, seeding=seeding)).seeding.variation_seed

    assert resolved(Seeding()) == resolved(Seeding(variation_seed=5)) == RANDOM_SEED
    assert resolved(Seeding(variation_seed=5, variation_strength=0.1)) == 5
    assert len({resolved(Seeding(variation_strength=0.1)) for _ in range(20)} - {RANDOM_SEED}) > 15


def test_half_a_size_is_no_size_for_the_noise(resolve: Resolver) -> None:
    def resolved(width: int, height: int) -> Seeding:
        seeding = Seeding(resize_from_width=width, resize_from_height=height)
        return resolve(Txt2Img(sampling=SAMPLING, seeding=seeding)).seeding

    assert resolved(512, 0) == resolved(0, 512) == Seeding()
    assert resolved(512, 768).resizes


def test_dials_that_the_sampler_has_not_or_that_change_nothing_are_left_out(resolve: Resolver) -> None:
    def resolved(sampler: str, **dials: float) -> Stochastic:
        stochastic = Stochastic.model_validate(dials)
        return resolve(Txt2Img(sampling=Sampling(sampler=sampler), stochastic=stochastic)).stochastic

    assert resolved("Walk", eta=0.3, churn=4) == Stochastic()
    assert resolved("Run", eta=0.3, churn=4, noise_scale=1.01) == Stochastic(eta=0.3, noise_scale=1.01)
    assert resolved("Run", eta=0.5) == Stochastic()
    assert resolved("Run", eta=0) == Stochastic(eta=0)


def test_an_unknown_sampler_is_refused_with_its_field_and_all_names(resolve: Resolver) -> None:
    with pytest.raises(InvalidRequest) as refused:
        resolve(Txt2Img(sampling=Sampling(sampler="Fly")))
    assert refused.value.field == "sampling.sampler"
    assert str(refused.value) == "There is no sampler 'Fly'. Choose one of: Walk, Run."


def test_an_unknown_schedule_is_refused_with_its_field_and_all_names(resolve: Resolver) -> None:
    with pytest.raises(InvalidRequest) as refused:
        resolve(Txt2Img(sampling=Sampling(sampler="Walk", schedule="Flat")))
    assert refused.value.field == "sampling.schedule"
    assert str(refused.value) == "There is no schedule 'Flat'. Choose one of: Even, Steep slope."


def test_a_broken_checkpoint_is_refused_with_the_sentence_that_the_catalog_shows(
    resolve: Resolver, folder: Path, tmp_path: Path
) -> None:
    (folder / "broken.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(UnusableFile) as refused:
        resolve(Txt2Img(checkpoint="broken", sampling=SAMPLING))
    shown = Catalog(Settings(data_dir=tmp_path)).find("broken").problem
    assert "Git LFS" in shown
    assert str(refused.value) == f"broken.safetensors: {shown}"


def test_a_checkpoint_that_is_not_there_is_refused(resolve: Resolver) -> None:
    with pytest.raises(UnusableFile, match="There is no checkpoint 'gone'"):
        resolve(Txt2Img(checkpoint="gone", sampling=SAMPLING))


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    file = Settings(data_dir=tmp_path).wildcards / "colours.txt"
    file.parent.mkdir(parents=True)
    file.write_text("red\ngreen\nblue\nyellow\n")
    return file


def test_wildcards_become_words_and_the_template_is_kept(resolve: Resolver, colours: Path) -> None:
    asked = Txt2Img(prompt="a __colours__ {ship|boat}", negative_prompt="{fog|rain}", seed=3, sampling=SAMPLING)
    request = resolve(asked)
    assert (request.filled.template, request.filled.negative_template) == (asked.prompt, asked.negative_prompt)
    assert request.filled.prompts == (request.prompt,)
    assert request.prompt.split()[1] in ("red", "green", "blue", "yellow")
    assert request.prompt.split()[2] in ("ship", "boat")
    assert request.negative_prompt in ("fog", "rain")
    assert resolve(asked) == request


def test_each_picture_draws_words_of_its_own_by_its_seed(resolve: Resolver, colours: Path) -> None:
    asked = Txt2Img(prompt="a __colours__ {ship|boat}", seed=3, batch_count=4, batch_size=2, sampling=SAMPLING)
    request = resolve(asked)
    words = [request.words_of(index) for index in range(8)]
    assert len(set(words)) > 2
    for index in range(8):
        alone = resolve(asked.model_copy(update={"seed": 3 + index, "batch_count": 1, "batch_size": 1}))
        assert alone.words_of(0) == words[index]
        assert request.alone(index) == alone


def test_the_second_pass_draws_words_of_its_own(resolve: Resolver, colours: Path) -> None:
    hires = Hires(enabled=True, upscaler="Latent", prompt="a __colours__ {ship|boat}")
    asked = Txt2Img(prompt="a ship", hires=hires, seed=3, batch_count=8, sampling=SAMPLING)
    request = resolve(asked)
    words = [request.hires_words_of(index) for index in range(8)]
    assert len(set(words)) > 2
    assert all(prompt.split()[1] in ("red", "green", "blue", "yellow") for prompt, _ in words)
    assert request.hires.prompt == words[0][0]
    for index in range(8):
        alone = resolve(asked.model_copy(update={"seed": 3 + index, "batch_count": 1}))
        assert alone.hires_words_of(0) == words[index]
        assert request.alone(index) == alone == resolve(alone)


def test_a_network_in_the_words_of_the_second_pass_is_refused_too(resolve: Resolver) -> None:
    hires = Hires(enabled=True, upscaler="Latent", prompt="<lora:film:0.8>")
    with pytest.raises(InvalidRequest, match="asks for a network"):
        resolve(Txt2Img(prompt="a ship", hires=hires, sampling=SAMPLING))


def test_what_was_drawn_stays_when_a_list_changes(resolve: Resolver, colours: Path) -> None:
    request = resolve(Txt2Img(prompt="a __colours__ ship", sampling=SAMPLING))
    colours.write_text("pink\n")
    assert resolve(request) == request


def test_a_prompt_without_wildcards_stays_as_it_was_typed(resolve: Resolver) -> None:
    request = resolve(Txt2Img(prompt="a (red:1.2) {ship} [a|b] # note", seed=1, sampling=SAMPLING))
    assert request.prompt == "a (red:1.2) {ship} [a|b] # note"
    assert request.filled.prompts == ()


def test_a_list_that_is_not_there_is_refused(resolve: Resolver) -> None:
    with pytest.raises(InvalidRequest, match="no list 'animals'"):
        resolve(Txt2Img(prompt="__animals__", sampling=SAMPLING))


def test_a_network_is_refused_and_never_left_out_silently(resolve: Resolver) -> None:
    with pytest.raises(InvalidRequest, match=r"<lora:film:0\.8> asks for a network"):
        resolve(Txt2Img(prompt="a ship <lora:film:0.8>", sampling=SAMPLING))
    assert resolve(Txt2Img(negative_prompt="<lora:film:0.8>", sampling=SAMPLING)).negative_prompt == "<lora:film:0.8>"


def test_a_network_that_a_wildcard_brings_is_refused_too(resolve: Resolver, colours: Path) -> None:
    colours.write_text("<lora:red:1>\n")
    with pytest.raises(InvalidRequest, match="<lora:red:1> asks for a network"):
        resolve(Txt2Img(prompt="__colours__", sampling=SAMPLING))


def test_more_clip_skip_than_the_text_encoder_has_layers_is_refused(resolve: Resolver) -> None:
    layers = resolve._catalog.find("tiny").usable().text_encoder.layers
    assert resolve(Txt2Img(reading=Reading(clip_skip=layers), sampling=SAMPLING)).reading.clip_skip == layers
    if layers < 12:
        with pytest.raises(InvalidRequest, match=f"Choose 1 to {layers}") as refused:
            resolve(Txt2Img(reading=Reading(clip_skip=layers + 1), sampling=SAMPLING))
        assert refused.value.field == "reading.clip_skip"
