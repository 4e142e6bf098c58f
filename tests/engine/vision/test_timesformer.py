"""TimeSformers are run as transformers runs them, and what they looked at is what the matrices say."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, VideoMAEImageProcessorPil, VisionEncoderDecoderModel

from modules.catalog.describers import Describers
from modules.engine.devices import Hardware
from modules.engine.vision.rollout import attention_maps, rolled_out
from modules.engine.vision.timesformer import TimeSformer
from modules.schema.captioning import Wording
from modules.schema.errors import UnusableFile
from tests.engine import describing_models as made
from tests.films import ball

HARDWARE = Hardware(torch.device("cpu"), torch.float32, "sdpa")


def nothing() -> None:
    """Nobody wants to know."""


def frames_of(count: int, size: tuple[int, int] = (160, 120)) -> list[Image.Image]:
    chance = np.random.default_rng(5)
    noise = [chance.integers(0, 256, (size[1], size[0], 3), np.uint8) for _ in range(count)]
    drawn = [ball(index / max(1, count - 1)).resize(size) for index in range(count)]
    return [Image.blend(image, Image.fromarray(pixels), 0.3) for image, pixels in zip(drawn, noise, strict=True)]


def opened(folder: Path, name: str = "tiny") -> TimeSformer:
    return TimeSformer(Describers(folder).find(name, "labels", "sentences"), HARDWARE)


@pytest.mark.parametrize(
    ("settings", "frames"), [(made.K400, 8), ({**made.K400, "do_center_crop": False}, 8), (made.HR, 16)]
)
@pytest.mark.parametrize("size", [(320, 240), (171, 301)])
def test_pixel_values_are_those_of_transformers_own_processor(
    tmp_path: Path, settings: dict[str, Any], frames: int, size: tuple[int, int]
) -> None:
    made.save_timesformer(tmp_path / "tiny")
    (tmp_path / "tiny" / "preprocessor_config.json").write_text(json.dumps(settings))
    images = frames_of(frames, size)
    model = opened(tmp_path)
    ours = torch.stack([model.prepare(image) for image in images]).numpy()
    theirs = VideoMAEImageProcessorPil(**settings)([np.asarray(image) for image in images], return_tensors="np")
    assert np.abs(ours - theirs["pixel_values"][0]).max() < 1e-5
    assert np.abs(ours - [by_hand(image, settings) for image in images]).max() < 1e-5


def by_hand(image: Image.Image, settings: dict[str, Any]) -> np.ndarray:
    """The same from the definition: shortest side, bilinear; the middle; mean and spread."""
    side = settings["size"]["shortest_edge"]
    width, height = image.size
    size = (side, int(side * height / width)) if width < height else (int(side * width / height), side)
    pixels = np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float64)
    if settings["do_center_crop"]:
        top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
        pixels = pixels[top : top + side, left : left + side]
    return ((pixels / 255 - 0.45) / 0.225).transpose(2, 0, 1)


def test_what_is_shown_is_what_the_model_sees(tmp_path: Path) -> None:
    made.save_timesformer(tmp_path / "tiny")
    model = opened(tmp_path)
    [image] = frames_of(1, (32, 32))
    assert np.array_equal(np.asarray(model.visible(model.prepare(image))), np.asarray(image))


def test_probabilities_are_those_of_a_direct_call(tmp_path: Path) -> None:
    reference = made.save_timesformer(tmp_path / "tiny")
    model = opened(tmp_path)
    frames = torch.stack([model.prepare(image) for image in frames_of(4)])
    with torch.inference_mode():
        wanted = reference(pixel_values=frames[None]).logits[0].softmax(-1)
    assert torch.allclose(model.probabilities(frames), wanted, atol=1e-6)
    labels = model.labels(frames, 3)
    assert [label.text for label in labels] == [made.LABELS[place] for place in wanted.argsort(descending=True)[:3]]
    assert labels[0].probability == pytest.approx(float(wanted.max()), abs=1e-5)


def test_a_model_can_be_asked_about_more_frames_than_it_was_trained_with(tmp_path: Path) -> None:
    made.save_timesformer(tmp_path / "tiny")
    model = opened(tmp_path)
    more = torch.stack([model.prepare(image) for image in frames_of(6)])
    assert model.probabilities(more).sum() == pytest.approx(1, abs=1e-5)
    four = more[:4]
    assert torch.equal(model.probabilities(four), opened(tmp_path).probabilities(four))  # it went back


@pytest.mark.parametrize("decoder", ["gpt2", "bert"])
def test_sentences_are_those_of_a_direct_call(tmp_path: Path, decoder: str) -> None:
    made.save_captioner(tmp_path / "tiny", decoder)
    model = opened(tmp_path)
    frames = torch.stack([model.prepare(image) for image in frames_of(4)])
    reference = VisionEncoderDecoderModel.from_pretrained(str(tmp_path / "tiny")).eval()
    with torch.inference_mode():
        tokens = reference.generate(pixel_values=frames[None], num_beams=3, min_length=4, max_length=9, do_sample=False)
    wanted = AutoTokenizer.from_pretrained(str(tmp_path / "tiny")).decode(tokens[0], skip_special_tokens=True)
    told: list[int] = []
    said = model.sentence(frames, Wording(beams=3, shortest=4, longest=9), lambda: told.append(1))
    assert said == " ".join(wanted.split())
    assert said
    assert len(told) >= 3


def test_writing_ends_when_what_is_told_raises(tmp_path: Path) -> None:
    made.save_captioner(tmp_path / "tiny")
    model = opened(tmp_path)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.sentence(torch.zeros(4, 3, 32, 32), Wording(), stop)


def dense(layers: list[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    """The rollout by whole matrices over the class token and all patches of all frames."""
    patches, frames = layers[0][0].shape[:2]
    size = 1 + frames * patches

    def at(frame: int, patch: int) -> int:
        return 1 + frame * patches + patch

    whole = torch.eye(size, dtype=torch.float64)
    for time, space in layers:
        over_time, over_space = torch.zeros(2, size, size, dtype=torch.float64)
        over_time[0, 0] = 1
        for patch in range(patches):
            for one in range(frames):
                for other in range(frames):
                    over_time[at(one, patch), at(other, patch)] = time[patch, one, other]
        for frame in range(frames):
            places = [0, *(at(frame, patch) for patch in range(patches))]
            for row, place in enumerate(places):
                for column, target in enumerate(places):
                    over_space[place, target] += space[frame, row, column] / (frames if row == 0 else 1)
        unchanged = torch.eye(size, dtype=torch.float64)
        whole = (unchanged + over_space) / 2 @ ((unchanged + over_time) / 2) @ whole
    assert torch.allclose(whole.sum(1), torch.ones(size, dtype=torch.float64))
    return whole[0, 1:].reshape(frames, patches)


def test_rollout_equals_the_product_of_whole_matrices() -> None:
    torch.manual_seed(4)
    layers = [(torch.rand(5, 3, 3).softmax(-1), (3 * torch.rand(3, 6, 6)).softmax(-1)) for _ in range(3)]
    assert torch.allclose(rolled_out(layers).double(), dense(layers), atol=1e-6)


def test_attention_has_the_frames_shape_and_listening_changes_nothing(tmp_path: Path) -> None:
    made.save_timesformer(tmp_path / "tiny")
    model = opened(tmp_path)
    frames = torch.stack([model.prepare(image) for image in frames_of(4)])
    before = model.probabilities(frames)
    maps = model.attention(frames)
    assert maps.shape == (4, 4, 4)
    assert maps.max() == 1
    assert maps.min() >= 0
    assert torch.equal(model.probabilities(frames), before)


def test_a_model_that_writes_shows_where_it_looked_too(tmp_path: Path) -> None:
    made.save_captioner(tmp_path / "tiny")
    model = opened(tmp_path)
    assert model.attention(torch.stack([model.prepare(image) for image in frames_of(4)])).shape == (4, 4, 4)


def test_frames_of_another_size_than_the_model_sees_are_refused(tmp_path: Path) -> None:
    made.save_timesformer(tmp_path / "tiny")
    (tmp_path / "tiny" / "preprocessor_config.json").write_text(json.dumps({**made.K400, "do_center_crop": False}))
    model = opened(tmp_path)
    frames = torch.stack([model.prepare(image) for image in frames_of(4)])
    with pytest.raises(UnusableFile, match="makes frames of 298 x 224 pixels, but the model sees 32 x 32"):
        model.labels(frames, 1)


def test_a_patch_that_all_attend_to_is_the_brightest(tmp_path: Path) -> None:
    made.save_timesformer(tmp_path / "tiny")
    model = opened(tmp_path)
    encoder = model.encoder
    pixels = torch.zeros(1, 4, 3, 32, 32)
    heard = attention_maps(encoder, pixels)
    layers = [(torch.full((16, 4, 4), 0.25), torch.full((4, 17, 17), 0.01)) for _ in range(2)]
    for _, space in layers:
        space[:, :, 1 + 6] = 1 - 0.16
    assert rolled_out(layers).argmax(1).tolist() == [6] * 4
    assert heard.shape == (4, 4, 4)


def test_a_model_of_another_attention_is_refused_with_a_sentence(tmp_path: Path) -> None:
    made.save_timesformer(tmp_path / "tiny", made.timesformer_config(attention_type="joint_space_time"))
    model = opened(tmp_path)
    frames = torch.stack([model.prepare(image) for image in frames_of(4)])
    assert len(model.labels(frames, 2)) == 2
    with pytest.raises(UnusableFile, match="where it looked cannot be shown"):
        model.attention(frames)


def test_files_that_do_not_fit_together_are_refused_with_a_sentence(tmp_path: Path) -> None:
    made.save_timesformer(tmp_path / "tiny")
    made.timesformer_config(hidden_size=48, num_attention_heads=4).save_pretrained(str(tmp_path / "tiny"))
    with pytest.raises(UnusableFile, match="tiny: "):
        opened(tmp_path)
    made.save_timesformer(tmp_path / "tiny")
    made.timesformer_config(num_hidden_layers=3).save_pretrained(str(tmp_path / "tiny"))
    with pytest.raises(UnusableFile, match="of its weights are missing"):
        opened(tmp_path)
