"""What pictures' parameters mean: older spellings and other programs' silence, told in today's keys."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modules.storage.infotext import BETA_SCHEDULE, Infotext
from modules.storage.keys import ETA, ETA_OF_DDIM, values_of

JOINED = {" Karras": "Karras", " Exponential": "Exponential", " SGM Uniform": "SGM Uniform"}
"""How schedules ended a sampler's name before they had a key of their own (A1111 1.9)."""

PLAIN_MEANT_UNIFORM = frozenset(
    {"DPM2", "DPM2 a", "DPM++ 2S a", "DPM++ 2M", "DPM++ SDE", "DPM++ 2M SDE", "DPM++ 2M SDE Heun", "DPM++ 3M SDE"}
)
"""Samplers whose bare name meant the model's own levels then, and whose Automatic means something else since."""

WITHOUT_SCHEDULE = frozenset({"DDIM", "DDIM CFG++", "PLMS", "UniPC"})
"""Samplers for which A1111 writes down the schedule that is chosen, and does not follow it."""


@dataclass(frozen=True)
class Reading:
    """What a text asks for.

    `values` are by their paths in a request; `rest` are the pairs that give none: kept, to be shown.
    """

    infotext: Infotext
    values: Mapping[str, Any]
    rest: Mapping[str, str]
    checkpoint: str = ""
    """A name without folders and ending, or "" when none is given."""
    checkpoint_hash: str = ""
    """The first digits of the file's SHA-256, or A1111's old short hash."""


def understand(infotext: Infotext) -> Reading:
    """What a text that was taken apart asks for here. Without pairs it asks for its prompts only."""
    prompts = {"prompt": infotext.prompt, "negative_prompt": infotext.negative_prompt}
    if not infotext.pairs:
        return Reading(infotext, prompts, {})
    values, rest = values_of(modern(infotext.pairs))
    checkpoint, digest = rest.pop("Model", ""), rest.pop("Model hash", "").lower()
    rest = {key: text for key, text in rest.items() if key != "Version" and BETA_SCHEDULE.get(key) != text}
    return Reading(infotext, {**prompts, **values}, rest, checkpoint, digest)


def modern(pairs: Mapping[str, str]) -> dict[str, str]:
    """The same pairs in today's spelling."""
    today = dict(pairs)
    if match := re.fullmatch(r"(\d+)x(\d+)", today.get("First pass size", "")):
        _hires_of_old(today, int(match[1]), int(match[2]))
    if "Sampler" in today and "Schedule type" not in today:
        today["Sampler"], today["Schedule type"] = split_joined(today["Sampler"])
    if today.get("Sampler") in WITHOUT_SCHEDULE and not today.get("Version", "").startswith("Kararli"):
        today["Schedule type"] = "Automatic"
    if ETA_OF_DDIM in today:
        today[ETA] = today.pop(ETA_OF_DDIM)
    if "RNG" not in today and "Steps" in today:
        today["RNG"] = "NV"  # A1111 names the source only where it is not the graphics card, nearly always NVIDIA's
    if not today.keys().isdisjoint(("Hires upscale", "Hires resize", "Hires upscaler")):
        today["Hires fix"] = "True"
    return today


def split_joined(name: str) -> tuple[str, str]:
    """Sampler and schedule of a name from the time before schedules had a key of their own."""
    for ending, schedule in JOINED.items():
        if name.endswith(ending):
            return name.removesuffix(ending), schedule
    return name, "Uniform" if name in PLAIN_MEANT_UNIFORM else "Automatic"


def _hires_of_old(pairs: dict[str, str], width: int, height: int) -> None:
    """Before 2023 "Size" was the size after the second pass, and "First pass size" that of the first."""
    pairs.pop("First pass size")
    if width and height and "Size" in pairs:
        pairs["Hires resize"], pairs["Size"] = pairs["Size"], f"{width}x{height}"
