"""Other programs' metadata, told in the common words."""

import io
import json
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modules.storage.reading import PictureInfo, read_picture

COMFY = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 99, "steps": 22, "cfg": 6.5, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1,
            "model": ["10", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd/v1-5.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 640, "height": 512, "batch_size": 1}},
    "6": {"class_type": "ConditioningZero", "inputs": {"conditioning": ["8", 0]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "rain", "clip": ["4", 1]}},
    "8": {"class_type": "CLIPTextEncode", "inputs": {"text": "a barn", "clip": ["4", 1]}},
    "10": {"class_type": "LoraLoader", "inputs": {"model": ["4", 0], "strength_model": 1.0}},
}  # fmt: skip


def info(**texts: str) -> PictureInfo:
    chunks = PngInfo()
    for key, text in texts.items():
        chunks.add_itxt(key.replace("__", "-"), text)
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG", pnginfo=chunks)
    return read_picture(file.getvalue())


def asked(found: PictureInfo) -> list[Any]:
    assert found.reading is not None
    paths = (
        "prompt", "negative_prompt", "sampling.steps", "sampling.sampler", "sampling.schedule",
        "sampling.guidance_scale", "seed", "width", "height",
    )  # fmt: skip
    return [found.reading.values.get(path) for path in paths]


def test_comfyuis_graph_is_followed_to_prompts_size_and_checkpoint() -> None:
    found = info(prompt=json.dumps(COMFY), workflow="{}")
    assert asked(found) == ["a barn", "rain", 22, "DPM++ 2M", "Karras", 6.5, 99, 640, 512]
    assert found.reading is not None
    assert found.reading.checkpoint == "v1-5"
    assert "made by ComfyUI" in found.notes[0]


def test_a_graph_in_a_circle_ends() -> None:
    graph = {
        "1": {"class_type": "KSampler", "inputs": {"seed": 1, "positive": ["2", 0], "model": ["2", 0]}},
        "2": {"class_type": "Reroute", "inputs": {"any": ["3", 0]}},
        "3": {"class_type": "Reroute", "inputs": {"any": ["2", 0]}},
    }
    assert asked(info(prompt=json.dumps(graph)))[:2] == ["", ""]


def test_a_graph_without_a_sampler_is_recognised_and_said_to_be_unreadable() -> None:
    found = info(prompt=json.dumps({"1": {"class_type": "Other", "inputs": {"a": 1}}}))
    assert found.reading is None
    assert "no sampler" in found.notes[0]


def test_the_common_text_beside_a_graph_is_taken_as_it_is() -> None:
    found = info(parameters="x\nSteps: 3, Sampler: Euler, Seed: 4", prompt=json.dumps(COMFY))
    assert asked(found)[2:4] == [3, "Euler"]
    assert found.notes == ()


def test_invokeais_metadata_is_read() -> None:
    metadata = {
        "generation_mode": "txt2img", "positive_prompt": "a barn", "negative_prompt": "rain", "width": 512,
        "height": 768, "seed": 12, "cfg_scale": 7.5, "steps": 30, "scheduler": "dpmpp_2m_k",
        "model": {"name": "stable-diffusion-v1-5", "hash": "blake3:0123"},
    }  # fmt: skip
    found = info(invokeai_metadata=json.dumps(metadata))
    assert asked(found) == ["a barn", "rain", 30, "DPM++ 2M", "Karras", 7.5, 12, 512, 768]


def test_invokeais_older_metadata_is_read() -> None:
    image = {
        "prompt": [{"prompt": "a barn [rain]", "weight": 1}], "steps": 50, "cfg_scale": 7.5, "width": 512,
        "height": 512, "seed": 5, "sampler": "k_euler_a",
    }  # fmt: skip
    found = info(sd__metadata=json.dumps({"model_weights": "sd-1.4", "image": image}))
    assert asked(found) == ["a barn", "rain", 50, "Euler a", "Automatic", 7.5, 5, 512, 512]


def test_invokeais_oldest_line_is_read() -> None:
    found = info(Dream='"a barn [rain]" -s 50 -S 123 -W 512 -H 640 -C 7.5 -A k_lms')
    assert asked(found) == ["a barn", "rain", 50, "LMS", "Automatic", 7.5, 123, 512, 640]


def test_novelais_comment_is_read_with_its_clip_skip_and_seed_delta() -> None:
    comment = {
        "steps": 28, "sampler": "k_euler_ancestral", "seed": 7, "scale": 11.0, "uc": "lowres", "width": 512,
        "height": 768,
    }  # fmt: skip
    found = info(Software="NovelAI", Description="a girl", Comment=json.dumps(comment))
    assert asked(found) == ["a girl", "lowres", 28, "Euler a", "Automatic", 11.0, 7, 512, 768]
    assert found.reading is not None
    assert found.reading.values["reading.clip_skip"] == 2
    assert found.reading.values["seeding.eta_seed_delta"] == 31337


def test_fooocus_is_read() -> None:
    data = {
        "prompt": "a barn", "negative_prompt": "", "steps": 30, "seed": "9", "guidance_scale": 4.0,
        "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "resolution": "(1152, 896)", "base_model": "juggernaut",
    }  # fmt: skip
    assert asked(info(parameters=json.dumps(data))) == [
        "a barn", "", 30, "DPM++ 2M SDE", "Karras", 4.0, 9, 1152, 896,
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["prompt", "invokeai_metadata", "sd__metadata", "Comment", "parameters", "Dream"])
@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"a": {"inputs": {"seed": [1]}}}', "[" * 5000, '{"image": 3}']
)
def test_what_is_not_as_expected_is_read_without_an_error(key: str, text: str) -> None:
    found = info(**{key: text, "Software": "NovelAI"})
    assert found.record is None
