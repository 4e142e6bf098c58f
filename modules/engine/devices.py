"""What to compute on, in which arithmetic, and with which attention."""

import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version

import torch
from torch import nn

from modules.schema.errors import KararliError
from modules.schema.results import Runtime
from modules.settings import Settings

GIGABYTE = 2**30
DTYPES = {"full": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Hardware:
    """Device, arithmetic and attention, chosen once for a worker, and where idle parts of a model wait."""

    device: torch.device
    dtype: torch.dtype
    attention: str
    offload: bool = False
    """Parts that are not at work are moved to the CPU's memory."""
    tiled: bool = False
    """The VAE works in tiles."""

    @property
    def batches_vary(self) -> bool:
        """Whether a picture would depend on its batch.

        In half precision a CPU's kernels round differently for other batch sizes, and the walk makes a visible
        difference of it; batches bring nothing there, so pictures are computed one by one.
        """
        return self.device.type == "cpu" and self.dtype != torch.float32

    def runtime(self) -> Runtime:
        """The same as a record."""
        return Runtime(
            device=str(self.device),
            device_name=_device_name(self.device),
            dtype=str(self.dtype).removeprefix("torch."),
            attention=self.attention,
            torch=torch.__version__,
            diffusers=version("diffusers"),
            transformers=version("transformers"),
            threads=torch.get_num_threads() if self.device.type == "cpu" else 0,
            tiled=self.tiled,
        )

    @contextmanager
    def hosting(self, part: nn.Module) -> Iterator[None]:
        """Have a part of a model on the device; send it away again if memory is scarce."""
        part.to(self.device)
        try:
            yield
        finally:
            if self.offload:
                part.to("cpu")


def choose_hardware(settings: Settings) -> Hardware:
    """Follow the settings; where they say auto, take the best that works here. Raises KararliError."""
    device = _choose_device(settings.device)
    dtype = _choose_dtype(settings.precision, device)
    memory = _choose_memory(settings.vram, device)
    return Hardware(
        device,
        dtype,
        _choose_attention(settings.attention, device, dtype),
        offload=memory in ("medium", "low"),
        tiled=memory == "low",
    )


def _choose_device(wanted: str) -> torch.device:
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(wanted)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise KararliError(
            f"There is no {wanted} here: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices."
            " Start with --device auto or --device cpu."
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise KararliError("There is no mps device here (it is Apple's). Start with --device auto or --device cpu.")
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


def _choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    if wanted != "auto":
        return DTYPES[wanted]
    if device.type == "cpu":
        abilities = torch.cpu.get_capabilities()
        fast = abilities.get("avx512_bf16") or abilities.get("amx_bf16")
        return torch.bfloat16 if fast else torch.float32
    if device.type == "cuda" and torch.cuda.get_device_capability(device) < (7, 0):
        return torch.float32  # half precision is slower than single there
    return torch.float16


def _choose_memory(wanted: str, device: torch.device) -> str:
    if wanted != "auto" or device.type != "cuda":
        return "high" if wanted == "auto" else wanted
    free, _ = torch.cuda.mem_get_info(device)
    return "high" if free >= 6 * GIGABYTE else "medium" if free >= 4 * GIGABYTE else "low"


def _choose_attention(wanted: str, device: torch.device, dtype: torch.dtype) -> str:
    works = wanted != "sdpa" and _xformers_works(device, dtype)
    if wanted == "xformers" and not works:
        raise KararliError(
            f"xformers does not work here (on {device} in {str(dtype).removeprefix('torch.')}): its kernels need an"
            " NVIDIA GPU that they were built for. Start with --attention auto or sdpa."
        )
    return "xformers" if works else "sdpa"


def _xformers_works(device: torch.device, dtype: torch.dtype) -> bool:
    """Try it on a tiny tensor; without a GPU importing it would only print warnings."""
    if device.type != "cuda":
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from xformers.ops import memory_efficient_attention  # pyright: ignore

            tiny = torch.ones(1, 8, 2, 16, device=device, dtype=dtype)
            return bool(torch.isfinite(memory_efficient_attention(tiny, tiny, tiny)).all())
    except Exception:  # noqa: BLE001 - whatever a foreign kernel throws, it means the same here: it does not work
        return False


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine())
