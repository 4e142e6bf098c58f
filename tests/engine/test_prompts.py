"""What prompts do to pictures: with the checkpoint that ships, judged by what is to be seen."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.engine.engine import Engine
from modules.engine.sampling.guidance import Conditioning, GuidedDenoiser, Strand
from modules.engine.sampling.samplers import SAMPLERS
from modules.engine.sampling.schedules import SCHEDULES
from modules.prompts.evaluating import Timeline
from modules.schema.requests import Reading, Txt2Img
from modules.settings import load_settings
from modules.storage.infotext import write_infotext
from tests.engine.conftest import build, images, paint, request_for
from tests.engine.tasks.test_txt2img import difference
from tests.looking import look

BLUE = "a blue circle on a white background"


def painted(engine: Engine, prompt: str, seed: int = 3, **values: object) -> Image.Image:
    return images(engine, request_for(prompt, seed, **values))[0]


def embedded(engine: Engine, prompt: str, negative: str = "", calls: int = 8, **reading: object) -> Conditioning:
    model = engine._workbench().models.load("demo.safetensors")
    with torch.inference_mode():
        return model.embed((prompt, negative), Reading(**reading), Timeline(calls))  # type: ignore[arg-type]


def test_the_words_of_the_early_steps_decide_the_shape_and_the_late_ones_still_count(engine: Engine) -> None:
    late = painted(engine, "a [red:blue:0.05] circle on a white background")
    early = painted(engine, "a [red:blue:0.95] circle on a white background")
    assert (look(late).colour, look(early).colour) == ("blue", "red")
    shape = painted(engine, "a green [square:circle:0.8] on a white background")
    assert look(shape).shape == "square"


def test_words_that_never_come_change_nothing(engine: Engine) -> None:
    wanted = painted(engine, BLUE, steps=6)
    for prompt in (
        "a [blue:red:1.0] circle on a white background",
        "a [red:blue:0] circle on a white background",
        "a blue circle on a white background /* with a red star */ # and more",
        "{a} blue circle on a white background".replace("{a}", "a"),
    ):
        assert difference(painted(engine, prompt, steps=6), wanted) == 0, prompt


def test_a_heavier_word_counts_more(engine: Engine) -> None:
    def redness(prompt: str) -> float:
        pixels = np.asarray(painted(engine, prompt, steps=12)).astype(float)
        return float((pixels[..., 0] - pixels[..., 2]).mean())

    background = "circle on a white background"
    assert redness(f"a (red:1.6) (blue:0.4) {background}") > redness(f"a (red:0.4) (blue:1.6) {background}") + 3


def test_and_paints_what_both_prompts_say(engine: Engine) -> None:
    seen = look(painted(engine, "a red circle AND a blue background", 1, steps=12))
    assert (seen.colour, seen.shape, seen.background) == ("red", "circle", "blue")


def test_alternatives_that_take_turns_are_mixed(engine: Engine) -> None:
    assert look(painted(engine, "a [red|blue] circle on a white background", steps=12)).colour == "purple"


def test_and_with_a_weight_of_zero_counts_nothing(engine: Engine) -> None:
    alone = painted(engine, BLUE, steps=5)
    both = painted(engine, f"{BLUE} AND a red star on a green background:0", steps=5)
    assert difference(alone, both) <= 1


def test_a_schedule_in_the_negative_prompt_counts(engine: Engine) -> None:
    without = painted(engine, BLUE, steps=6)
    with_it = painted(engine, BLUE, steps=6, negative_prompt="[a red star:0.5]")
    never = painted(engine, BLUE, steps=6, negative_prompt="[a red star:99]")
    assert difference(without, with_it) > 3
    assert difference(without, never) == 0


def test_without_guidance_prompts_are_still_weighed_against_the_negative_one(engine: Engine) -> None:
    """A scale of 1 leaves the negative prompt out only where it would count nothing."""
    one, other = (
        painted(engine, f"{BLUE} AND a red star", guidance_scale=1.0, steps=4, negative_prompt=negative)
        for negative in ("", "a green square")
    )
    assert difference(one, other) > 3


@pytest.mark.parametrize("sampler", ["Euler", "DPM++ SDE"])
def test_a_schedule_in_steps_and_in_shares_agree(engine: Engine, sampler: str) -> None:
    calls = 8 if sampler == "Euler" else 16
    by_share = painted(engine, "a [red:blue:0.5] circle", sampler=sampler, steps=8)
    by_call = painted(engine, f"a [red:blue:{calls // 2}] circle", sampler=sampler, steps=8)
    assert difference(by_share, by_call) == 0


def test_emphasis_keeps_the_mean_or_does_not_and_may_be_ignored(engine: Engine) -> None:
    def of(emphasis: str, prompt: str = "a (red:1.5) circle") -> torch.Tensor:
        return embedded(engine, prompt, emphasis=emphasis).positive[0].at(0).float()

    plain = of("Original", "a red circle")
    original, no_norm = of("Original"), of("No norm")
    assert torch.equal(of("Ignore"), plain)
    assert torch.allclose(no_norm[0, 2], plain[0, 2] * 1.5, rtol=1e-2)
    assert torch.allclose(no_norm[0, 3], plain[0, 3])
    assert original.mean() == pytest.approx(float(plain.mean()), rel=5e-2)
    assert torch.allclose(original, no_norm * (plain.mean() / no_norm.mean()), rtol=5e-2, atol=1e-2)
    assert torch.equal(of("None"), of("Original", "a \\(red\\:1.5\\) circle"))


def test_clip_skip_takes_an_earlier_layer_under_the_last_ones_norm(engine: Engine) -> None:
    last, before = (embedded(engine, "a red circle", clip_skip=skip).positive[0].at(0) for skip in (1, 2))
    assert last.shape == before.shape
    assert not torch.allclose(last, before)
    encoder = engine._workbench().models.load("demo.safetensors")._text.model
    assert encoder.config.num_hidden_layers >= 2
    assert difference(painted(engine, BLUE, steps=3), images(engine, _skipping(2))[0]) > 3


def _skipping(layers: int) -> Txt2Img:
    return request_for(BLUE, 3, steps=3, reading=Reading(clip_skip=layers))


def test_stages_of_a_schedule_have_one_length_and_prompts_joined_by_and_too(engine: Engine) -> None:
    text = embedded(engine, "[short:a BREAK b:0.5] AND a BREAK b BREAK c", negative="x")
    assert [stage.shape[1] for _, stage in text.positive[0].stages] == [154, 154]
    joined = text.towards(0)
    assert [one.shape[1] for one in joined] == [231, 231]
    assert torch.equal(joined[0][0, 154:], joined[0][0, 153].expand(77, -1))
    assert text.negative.at(0).shape[1] == 77


def test_the_last_stage_stays_when_a_walk_takes_more_calls_than_foreseen() -> None:
    first, last = torch.zeros(1, 77, 4), torch.ones(1, 77, 4)
    strand = Strand(1.0, ((2, first), (4, last)))
    assert [strand.at(call).mean() for call in (0, 2, 3, 4, 5, 99)] == [0, 0, 1, 1, 1, 1]


def test_differences_are_added_with_their_weights() -> None:
    """On a UNet whose answer is the text's own number, guidance is plain arithmetic."""

    class Answers:
        dtype = torch.float32

        def __call__(self, latents, times, encoder_hidden_states, return_dict):
            return (encoder_hidden_states.mean(dim=(1, 2))[:, None, None, None].expand(latents.shape),)

    def strand(weight: float, number: float, length: int = 77) -> Strand:
        return Strand(weight, ((1, torch.full((1, length, 4), number)),))

    texts = [
        Conditioning((strand(1.0, 3.0),), strand(1.0, 1.0, 154)),
        Conditioning((strand(0.5, 3.0), strand(2.0, -1.0, 154)), strand(1.0, 1.0)),
    ]
    for one_by_one in (False, True):
        denoiser = GuidedDenoiser(Answers(), texts, 7.0, lambda sigma: sigma, "epsilon", one_by_one)  # type: ignore
        output = -denoiser(torch.zeros(2, 4, 8, 8), 1.0)
        assert output[0].unique().tolist() == [1 + 7 * (3 - 1)]
        assert output[1].unique().tolist() == [1 + 7 * (0.5 * (3 - 1) + 2 * (-1 - 1))]


@pytest.fixture
def words_dir(data_dir: Path) -> Path:
    """A data folder with a list and with learned words: the demo's own vector for "blue" under another name."""
    settings = load_settings({"data_dir": data_dir}, {})
    settings.wildcards.mkdir(parents=True)
    (settings.wildcards / "colours.txt").write_text("red\nblue\ngreen\nyellow\n")
    return data_dir


def test_each_picture_of_a_batch_paints_its_own_words(words_dir: Path) -> None:
    engine = build(words_dir)
    asked = request_for("a __colours__ circle on a white background{| BREAK}", 5, batch_size=4, steps=20)
    request = Resolver(Catalog(load_settings({"data_dir": words_dir}, {})), SAMPLERS, SCHEDULES)(asked)
    together = paint(engine, request)
    assert len({request.words_of(index) for index in range(4)}) > 1
    for event in together:
        image, (prompt, _) = event.picture.image(), request.words_of(event.index)
        assert look(image).colour == prompt.split()[1]
        assert difference(image, paint(engine, request.alone(event.index))[0].picture.image()) <= 1
        assert write_infotext(request, event).startswith(prompt)


def test_learned_words_paint_and_are_recorded(words_dir: Path) -> None:
    engine = build(words_dir)
    encoder = engine._workbench().models.load("demo.safetensors")._text.model
    from modules.prompts.tokens import tokenize

    vectors = encoder.embeddings.token_embedding.weight[tokenize("blue")].clone()
    folder = words_dir / "models" / "embeddings"
    folder.mkdir()
    save_file({"emb_params": vectors}, folder / "my-hue.safetensors")
    save_file({"emb_params": torch.zeros(2, vectors.shape[1] + 1)}, folder / "white.safetensors")
    [event] = paint(engine, request_for("a My-Hue circle on a white background", 3, steps=6))
    assert difference(event.picture.image(), painted(engine, BLUE, steps=6)) == 0
    assert [record.name for record in event.environment.further_files] == ["my-hue"]
    assert f'TI hashes: "my-hue: {event.environment.further_files[0].sha256[:12]}"' in write_infotext(
        request_for("x"), event
    )
