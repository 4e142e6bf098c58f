"""Folders as the Hugging Face hub stores them, through transformers: local files only, safetensors only, no code."""

from collections.abc import Callable
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import StoppingCriteria, StoppingCriteriaList

from modules.catalog.describers import Describer
from modules.engine.devices import Hardware
from modules.schema.errors import UnusableFile

UNFIT = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, SafetensorError)
"""What transformers raises over files that do not fit together."""


def loaded(entry: Describer, kind: Any, hardware: Hardware | None = None) -> Any:
    """The folder's tokenizer or processor, or with `hardware` its model, ready to work.

    Raises UnusableFile with a sentence when files are missing or do not fit together.
    """
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if hardware is not None:
        options |= {"use_safetensors": True, "dtype": hardware.dtype, "output_loading_info": True}
    try:
        made = kind.from_pretrained(str(entry.path), **options)
    except UNFIT as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnusableFile(
            f"{entry.name}: Its files do not fit together ({first[:200]}). Download all of them again."
        ) from None
    if hardware is None:
        return made
    model, findings = made
    if findings["missing_keys"] or findings.get("mismatched_keys"):
        missing = sorted(map(str, findings["missing_keys"] or findings["mismatched_keys"]))
        raise UnusableFile(
            f"{entry.name}: {len(missing)} of its weights are missing or of another shape ({missing[0]}, ...). Look for"
            " another version of it."
        )
    return _settled(model, hardware)


def _settled(model: nn.Module, hardware: Hardware) -> nn.Module:
    model.requires_grad_(False).eval()
    return model if hardware.offload else model.to(hardware.device)


def while_telling(tell: Callable[[], None]) -> dict[str, Any]:
    """Options of generate() that call `tell` for each token."""
    return {"stopping_criteria": StoppingCriteriaList([_Telling(tell)])}


class _Telling(StoppingCriteria):
    """Never stops by itself; what it calls may raise."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:  # type: ignore[override]
        """No sentence is done because of it."""
        self._tell()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
