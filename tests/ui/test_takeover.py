"""What a form takes from a picture or a text, and what it leaves out and why."""

import shutil
from pathlib import Path

import pytest

from modules.catalog.checkpoints import Catalog
from modules.catalog.hashes import Hashes
from modules.engine import builtin
from modules.plugins.loading import Plugins
from modules.schema.errors import KararliError
from modules.schema.requests import Txt2Img
from modules.settings import Settings
from modules.storage.files import encode_png
from modules.storage.infotext import write_infotext
from modules.storage.reading import read_picture, read_text
from modules.storage.record import write_record
from modules.ui.filling import filled_note
from modules.ui.form import leaf_paths
from modules.ui.takeover import Takeover, TakeoverRules, read_file
from tests.storage.painting import job, painted, picture

SHA256 = "1f1546877b"


@pytest.fixture
def rules(settings: Settings) -> TakeoverRules:
    return TakeoverRules(Txt2Img, set(leaf_paths(Txt2Img)), Catalog(settings), Plugins(settings, [builtin]))


def value_at(request: Txt2Img, path: str) -> object:
    value: object = request
    for part in path.split("."):
        value = getattr(value, part)
    return value


def text(pairs: str) -> str:
    return f"a barn\nNegative prompt: rain\n{pairs}"


def test_everything_that_a_form_has_a_control_for_is_taken(rules: TakeoverRules) -> None:
    taken = rules.of_reading(
        read_text(
            text("Steps: 9, Sampler: k_euler_a, Schedule type: karras, CFG scale: 6, Seed: 77, Size: 128x192, RNG: CPU")
        )
    )
    others = {path: value for path, value in taken.values.items() if path.startswith(("seeding.", "stochastic."))}
    assert others == {path: value_at(Txt2Img(), path) for path in others}  # what the text is silent about
    assert {path: value for path, value in taken.values.items() if path not in others} == {
        "prompt": "a barn", "negative_prompt": "rain", "sampling.steps": 9, "sampling.sampler": "Euler a",
        "sampling.schedule": "Karras", "sampling.guidance_scale": 6.0, "seed": 77, "width": 128, "height": 192,
        "hires.enabled": False, "refiner.checkpoint": "",
        "reading.clip_skip": 1, "reading.emphasis": "Original",
    }  # fmt: skip
    assert taken.left_out == ()


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("Sampler: Unheard Of", "Sampler: Unheard Of (it is not to be had here)"),
        ("Schedule type: Unheard Of", "Schedule type: Unheard Of (it is not to be had here)"),
        ("CFG scale: 99", "CFG scale: 99.0 (Input should be less than or equal to 30)"),
        ("Size: 130x128", "Size: 130 (Input should be a multiple of 8)"),
        ("Seed: twelve", "Seed: twelve"),
        ("Some key: some value", "Some key: some value"),
        ("Model: gone, Model hash: 0123456789", "The checkpoint 'gone' (SHA-256 0123456789) is not here."),
    ],
)
def test_what_is_not_taken_is_told(rules: TakeoverRules, pair: str, words: str) -> None:
    steps = "Steps: 9, Sampler: Euler, Schedule type: Automatic, Seed: 7, RNG: CPU"
    taken = rules.of_reading(read_text(text(f"{steps}, {pair}")))
    assert taken.values["sampling.steps"] == 9
    assert [sentence for sentence in taken.left_out if sentence.startswith(words)] != []


def test_noise_of_another_source_is_not_passed_over_in_silence(settings: Settings) -> None:
    paths = set(leaf_paths(Txt2Img)) - {"seeding.noise_source"}
    rules = TakeoverRules(Txt2Img, paths, Catalog(settings), Plugins(settings, [builtin]))
    assert "RNG: NV" in rules.of_reading(read_text(text("Steps: 9, Sampler: Euler, Seed: 7"))).left_out


def test_the_checkpoint_is_found_by_its_hash_under_another_name(rules: TakeoverRules, settings: Settings) -> None:
    (settings.checkpoints / "demo.safetensors").rename(settings.checkpoints / "renamed.safetensors")
    taken = rules.of_reading(read_text(text(f"Steps: 9, Sampler: Euler, Seed: 7, Model hash: {SHA256}, Model: demo")))
    assert taken.values["checkpoint"] == "renamed.safetensors"


def test_a_text_leaves_alone_what_it_does_not_mention(rules: TakeoverRules) -> None:
    taken = rules.of_reading(read_text("a barn"))
    assert taken == Takeover({"prompt": "a barn", "negative_prompt": ""})


def test_our_record_gives_the_whole_request_of_that_picture(rules: TakeoverRules, settings: Settings) -> None:
    digest = Hashes(settings.cache).sha256(settings.checkpoints / "demo.safetensors")
    batch = job(prompt="a", width=64, height=64, seed=100, batch_count=3).request
    made = painted(index=2, seed=102)
    environment = made.environment.model_copy(
        update={"checkpoint": made.environment.checkpoint.model_copy(update={"sha256": digest})}
    )
    made = type(made)(2, 102, made.picture, environment, True)
    data = encode_png(picture(), write_infotext(batch, made), write_record(batch, made))
    taken = rules.of_picture(read_picture(data))
    assert {path: taken.values[path] for path in ("seed", "batch_count", "width", "prompt", "checkpoint")} == {
        "seed": 102, "batch_count": 1, "width": 64, "prompt": "a", "checkpoint": "demo.safetensors",
    }  # fmt: skip
    assert set(taken.values) == set(leaf_paths(Txt2Img))
    assert taken.left_out == ()


def test_a_damaged_record_is_told_and_the_parameters_are_taken(rules: TakeoverRules) -> None:
    data = encode_png(picture(), text("Steps: 9, Sampler: Euler, Seed: 7, RNG: CPU"), "{")
    taken = rules.of_picture(read_picture(data))
    assert taken.values["sampling.steps"] == 9
    assert "damaged" in taken.left_out[0]


def test_a_picture_without_parameters_fills_nothing_and_says_so(rules: TakeoverRules) -> None:
    assert rules.of_picture(read_picture(encode_png(picture(), ""))) == Takeover(
        {}, ("There are no parameters in this picture.",)
    )


def test_what_a_picture_says_is_shown_as_text_and_never_as_markup() -> None:
    note = filled_note(Takeover({"seed": 1}, ("<img src=x onerror=alert(1)>",)), Txt2Img, lambda words: words)
    assert "<img" not in note
    assert "&lt;img" in note


def test_a_file_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(KararliError, match="cannot be read"):
        read_file(tmp_path / "gone.png")
    shutil.copy(__file__, tmp_path / "text.png")
    with pytest.raises(KararliError, match="no picture"):
        read_file(tmp_path / "text.png")
