"""Pictures of ComfyUI, InvokeAI, NovelAI and Fooocus: their own metadata, told as the text that everybody reads.

What of it has a meaning elsewhere is read: prompts, seed, steps, sampler, guidance, size, model. The rest is said to be
left out.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from modules.storage.infotext import Infotext
from modules.storage.metadata import PARAMETERS

Json: TypeAlias = Mapping[str, Any]

SAMPLER_NAMES = {
    "euler": "Euler", "euler_ancestral": "Euler a", "euler_a": "Euler a", "heun": "Heun", "lms": "LMS", "ddim": "DDIM",
    "plms": "PLMS", "pndm": "PLMS", "lcm": "LCM", "tcd": "TCD", "deis": "DEIS",
    "dpm_2": "DPM2", "dpm_2_ancestral": "DPM2 a", "kdpm_2": "DPM2", "kdpm_2_a": "DPM2 a", "dpm_fast": "DPM fast",
    "dpm_adaptive": "DPM adaptive", "dpmpp_2s_ancestral": "DPM++ 2S a", "dpmpp_2s": "DPM++ 2S a",
    "dpmpp_sde": "DPM++ SDE", "dpmpp_2m": "DPM++ 2M", "dpmpp_2m_sde": "DPM++ 2M SDE", "dpmpp_3m_sde": "DPM++ 3M SDE",
    "dpmpp_2m_sde_heun": "DPM++ 2M SDE Heun", "uni_pc": "UniPC", "unipc": "UniPC", "uni_pc_bh2": "UniPC",
    "er_sde": "ER SDE",
}  # fmt: skip
"""Other programs' names of samplers, without "k_" and "_gpu"."""

SCHEDULE_NAMES = {
    "normal": "Normal", "karras": "Karras", "exponential": "Exponential", "sgm_uniform": "SGM Uniform",
    "simple": "Simple", "ddim_uniform": "DDIM", "beta": "Beta", "kl_optimal": "KL Optimal", "turbo": "Turbo",
}  # fmt: skip
"""ComfyUI's names of schedules."""

DEEPEST_GRAPH = 100
"""Nodes that are followed one after the other."""


@dataclass(frozen=True)
class Foreign:
    """Which program made a picture, and what it says in our words; None where nothing could be read."""

    program: str
    infotext: Infotext | None
    note: str


def read_foreign(texts: Mapping[str, str]) -> Foreign | None:
    """What another program's metadata says; None when there is none that is known, or the common text beside it."""
    if not texts.get(PARAMETERS, "{").lstrip().startswith("{"):
        return None
    for key, reader in _READERS.items():
        if key in texts and (found := reader(texts[key], texts)) is not None:
            return found
    return None


def _invoke(text: str, _texts: Mapping[str, str]) -> Foreign | None:
    data = _object(text)
    if data is None:
        return None
    model = _table(data.get("model"))
    name = model.get("name") or model.get("model_name") if model is not None else data.get("model")
    pairs = _pairs(
        Steps=data.get("steps"),
        Sampler=data.get("scheduler"),
        CFG_scale=data.get("cfg_scale"),
        Seed=data.get("seed"),
        Size=_size(data.get("width"), data.get("height")),
        Model=name,
    )
    return _foreign("InvokeAI", data.get("positive_prompt"), data.get("negative_prompt"), pairs)


def _old_invoke(text: str, _texts: Mapping[str, str]) -> Foreign | None:
    data = _object(text)
    image = _table(data.get("image")) if data else None
    if data is None or image is None:
        return None
    prompt = image.get("prompt")
    if isinstance(prompt, list):
        parts = [_table(part) or {} for part in cast(list[object], prompt)]
        prompt = ", ".join(str(part.get("prompt", "")) for part in parts)
    wanted, unwanted = _invoke_prompts(str(prompt or ""))
    return _foreign("InvokeAI", wanted, unwanted, _invoke_pairs(image, data.get("model_weights")))


def _invoke_prompts(prompt: str) -> tuple[str, str]:
    """There what is not wanted stood in square brackets inside the prompt."""
    negative = re.findall(r"\[([^\[\]]*)\]", prompt)
    return re.sub(r" ?\[[^\[\]]*\]", "", prompt).strip(), ", ".join(negative)


def _invoke_pairs(image: Json, model: Any) -> dict[str, str]:
    return _pairs(
        Steps=image.get("steps"),
        Sampler=image.get("sampler"),
        CFG_scale=image.get("cfg_scale"),
        Seed=image.get("seed"),
        Size=_size(image.get("width"), image.get("height")),
        Model=model,
    )


def _dream(text: str, _texts: Mapping[str, str]) -> Foreign | None:
    match = re.match(r'\s*"((?:\\.|[^"\\])*)"(.*)', text, re.DOTALL)
    if match is None:
        return None
    options = dict(re.findall(r"-(\w)\s*([^\s-][^\s]*)", match[2]))
    pairs = _pairs(
        Steps=options.get("s"),
        Sampler=options.get("A"),
        CFG_scale=options.get("C"),
        Seed=options.get("S"),
        Size=_size(options.get("W"), options.get("H")),
    )
    return _foreign("InvokeAI", *_invoke_prompts(match[1]), pairs)


def _novel(text: str, texts: Mapping[str, str]) -> Foreign | None:
    data = _object(text)
    if data is None or "novelai" not in texts.get("Software", "").lower():
        return None
    pairs = _pairs(
        Steps=data.get("steps"),
        Sampler=data.get("sampler"),
        CFG_scale=data.get("scale"),
        Seed=data.get("seed"),
        Size=_size(data.get("width"), data.get("height")),
        Clip_skip=2,
        ENSD=31337,
        RNG="GPU",
    )
    return _foreign("NovelAI", data.get("prompt") or texts.get("Description"), data.get("uc"), pairs)


def _fooocus(text: str, _texts: Mapping[str, str]) -> Foreign | None:
    data = _object(text)
    if data is None:
        return None
    size = re.findall(r"\d+", str(data.get("resolution", "")))
    pairs = _pairs(
        Steps=data.get("steps"),
        Sampler=data.get("sampler"),
        Schedule_type=SCHEDULE_NAMES.get(str(data.get("scheduler"))),
        CFG_scale=data.get("guidance_scale"),
        Seed=data.get("seed"),
        Size=_size(*size) if len(size) == 2 else None,
        Model=data.get("base_model"),
        Model_hash=data.get("base_model_hash"),
    )
    return _foreign("Fooocus", data.get("prompt"), data.get("negative_prompt"), pairs)


def _comfy(text: str, _texts: Mapping[str, str]) -> Foreign | None:
    graph = _object(text)
    if graph is None or not any("class_type" in node for node in _nodes(graph)):
        return None
    sampler = next((node for node in _nodes(graph) if "seed" in node["inputs"] or "noise_seed" in node["inputs"]), None)
    if sampler is None or "positive" not in sampler["inputs"]:
        return Foreign(
            "ComfyUI", None, "It was made by ComfyUI; its graph has no sampler of a kind that is known here."
        )
    inputs = sampler["inputs"]
    latent = _first(graph, inputs.get("latent_image"), "width")
    loader = _first(graph, inputs.get("model"), "ckpt_name") or _first(graph, inputs.get("model"), "unet_name")
    pairs = _pairs(
        Steps=_literal(inputs.get("steps")),
        Sampler=_literal(inputs.get("sampler_name")),
        Schedule_type=SCHEDULE_NAMES.get(str(inputs.get("scheduler"))),
        CFG_scale=_literal(inputs.get("cfg")),
        Seed=_literal(inputs.get("seed", inputs.get("noise_seed"))),
        Size=_size(_literal(latent.get("width")), _literal(latent.get("height"))),
        Model=_literal(loader.get("ckpt_name", loader.get("unet_name"))),
    )
    wanted, unwanted = (_first(graph, inputs.get(end), "text").get("text") for end in ("positive", "negative"))
    return _foreign("ComfyUI", wanted, unwanted, pairs)


def _workflow(_text: str, _texts: Mapping[str, str]) -> Foreign:
    return Foreign("ComfyUI", None, "It was made by ComfyUI, and carries a graph without the values that were used.")


def _nodes(graph: Json) -> Iterator[Json]:
    for value in graph.values():
        node = _table(value)
        if node is not None and _table(node.get("inputs")) is not None:
            yield node


def _first(graph: Json, link: Any, name: str) -> Json:
    """The inputs of the nearest node up a link that has an input of that name; {} when there is none."""
    links: list[object] = [link]
    seen: set[str] = set()
    while links and len(seen) < DEEPEST_GRAPH:
        start = links.pop(0)
        if not isinstance(start, list) or not start:
            continue
        number = str(cast(list[object], start)[0])
        node = None if number in seen else _table(graph.get(number))
        seen.add(number)
        inputs = _table(node.get("inputs")) if node is not None else None
        if inputs is not None:
            if _literal(inputs.get(name)) is not None:
                return inputs
            links += inputs.values()
    return {}


def _literal(value: Any) -> Any:
    """A value that stands in a node itself, rather than coming from another one."""
    return value if isinstance(value, str | int | float) else None


def _foreign(program: str, prompt: Any, negative: Any, pairs: dict[str, str]) -> Foreign:
    note = f"It was made by {program}; prompts and settings were read from its metadata, the rest of it is left out."
    return Foreign(program, Infotext(str(prompt or ""), str(negative or ""), pairs), note)


def _pairs(**values: Any) -> dict[str, str]:
    """Pairs in our words of what is there."""
    pairs = {key.replace("_", " "): str(value) for key, value in values.items() if isinstance(value, str | int | float)}
    if "Sampler" in pairs:
        pairs |= _sampler(pairs["Sampler"], pairs.get("Schedule type"))
    if pairs:
        pairs.setdefault("RNG", "CPU")  # all but NovelAI draw their noise there
    if "Model" in pairs:
        pairs["Model"] = re.sub(r"\.(safetensors|ckpt|pt)$", "", pairs["Model"].replace("\\", "/").rpartition("/")[2])
    return pairs


def _sampler(name: str, schedule: str | None) -> dict[str, str]:
    plain = name.lower().removeprefix("k_").removesuffix("_gpu")
    if plain.endswith(("_k", "_karras")):  # InvokeAI and NovelAI join the two
        plain, schedule = re.sub(r"(_k|_karras)$", "", plain), "Karras"
    return {"Sampler": SAMPLER_NAMES.get(plain, name), "Schedule type": schedule or "Automatic"}


def _size(width: Any, height: Any) -> str | None:
    return f"{width}x{height}" if width and height else None


def _object(text: str) -> Json | None:
    try:
        return _table(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _table(value: object) -> Json | None:
    return cast(Json, value) if isinstance(value, dict) else None


_READERS: Mapping[str, Callable[[str, Mapping[str, str]], Foreign | None]] = {
    "invokeai_metadata": _invoke,
    "sd-metadata": _old_invoke,
    "Dream": _dream,
    "Comment": _novel,
    PARAMETERS: _fooocus,
    "prompt": _comfy,
    "workflow": _workflow,
}
"""By the key under which a program keeps what it knows."""
