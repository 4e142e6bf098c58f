"""Which upscaler a file holds, inferred from the names and shapes in its header.

Two families are read by us. RRDB networks: ESRGAN (https://arxiv.org/abs/1809.00219), ESRGAN+
(https://arxiv.org/abs/2001.08073), Real-ESRGAN (https://arxiv.org/abs/2107.10833), under the three sets of names that
are in use. Compact networks: SRVGG, also of Real-ESRGAN. Whatever else there is, is left to spandrel.
"""

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from modules.catalog.headers import Header
from modules.schema.errors import UnusableFile
from modules.schema.requests import Frozen

Shapes: TypeAlias = Mapping[str, tuple[int, ...]]
Count: TypeAlias = Annotated[int, Field(ge=1, le=10_000)]

WRAPPERS = ("params_ema.", "params.", "state_dict.", "module.", "generator.", "netG.")
"""What names begin with where a training's checkpoint was converted as it was; earlier ones win."""

LARGEST_SCALE = 8


class Rrdb(Frozen):
    """A network of residual blocks in residual dense blocks."""

    kind: Literal["rrdb"] = "rrdb"
    width: Count
    """Channels between the blocks."""
    growth: Count
    """Channels that each convolution of a dense block adds."""
    blocks: Count
    doublings: int = Field(ge=0, le=4)
    unshuffle: Literal[1, 2, 4] = 1
    """Each square of so many pixels a side becomes channels of one, before anything else."""
    plus: bool = False
    """ESRGAN+: more shortcuts inside the dense blocks."""

    @property
    def scale(self) -> int:
        """How many times larger each side becomes."""
        return 2**self.doublings // self.unshuffle

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every weight."""
        width, growth = self.width, self.growth
        table = _convolution("conv_first", 3 * self.unshuffle**2, width)
        for block in range(self.blocks):
            for dense in (1, 2, 3):
                prefix = f"body.{block}.rdb{dense}"
                for layer in range(1, 6):
                    table |= _convolution(
                        f"{prefix}.conv{layer}", width + (layer - 1) * growth, growth if layer < 5 else width
                    )
                if self.plus:
                    table[f"{prefix}.conv1x1.weight"] = (growth, width, 1, 1)
        table |= _convolution("conv_body", width, width)
        for doubling in range(1, self.doublings + 1):
            table |= _convolution(f"conv_up{doubling}", width, width)
        return table | _convolution("conv_hr", width, width) | _convolution("conv_last", width, 3)


class Compact(Frozen):
    """Convolutions at the small size, with a PReLU after each but the last; pixels are made out of channels."""

    kind: Literal["compact"] = "compact"
    width: Count
    layers: Count
    """Convolutions between the first and the last one."""
    scale: int = Field(ge=1, le=LARGEST_SCALE)
    slopes: Count
    """Of a PReLU: one for each channel, or 1 for all."""

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name -> shape of every weight."""
        table: dict[str, tuple[int, ...]] = {}
        for layer in range(self.layers + 1):
            table |= _convolution(f"body.{2 * layer}", self.width if layer else 3, self.width)
            table[f"body.{2 * layer + 1}.weight"] = (self.slopes,)
        return table | _convolution(f"body.{2 * self.layers + 2}", self.width, 3 * self.scale**2)


class Foreign(Frozen):
    """Something that spandrel may know. How large it makes pictures is known once it is loaded."""

    kind: Literal["foreign"] = "foreign"

    @property
    def scale(self) -> None:
        """Not known from the header."""
        return


UpscalerArchitecture: TypeAlias = Rrdb | Compact | Foreign


def canonical_names(names: Collection[str]) -> dict[str, str]:
    """Each name in the file -> its name here. Names that no family of ours has stay as they are."""
    wrapper = next((one for one in WRAPPERS if any(name.startswith(one) for name in names)), "")
    bare = {name: name.removeprefix(wrapper) for name in names if name.startswith(wrapper)}
    rename = _renaming(set(bare.values()))
    return {name: rename(rest) for name, rest in bare.items()}


def detect_upscaler(header: Header) -> UpscalerArchitecture:
    """The upscaler that a file holds. Raises UnusableFile when it looks like one of ours and does not fit."""
    shapes = {ours: header.tensors[name].shape for name, ours in canonical_names(header.tensors).items()}
    try:
        if "conv_first.weight" in shapes and "body.0.rdb1.conv1.weight" in shapes:
            found: Rrdb | Compact = _rrdb(shapes)
        elif "body.0.weight" in shapes and "body.1.weight" in shapes and _only(shapes, r"body\.\d+\.(weight|bias)"):
            found = _compact(shapes)
        else:
            return Foreign()
        expected = found.shapes()
    except (KeyError, ValueError):
        raise UnusableFile(_MISFIT) from None
    if any(shapes.get(name) != shape for name, shape in expected.items()):
        raise UnusableFile(_MISFIT)
    return found if len(shapes) == len(expected) else Foreign()  # a relative, with more to it


_MISFIT = (
    "The file looks like an ESRGAN or a compact upscaler, but its weights do not fit together, or it is a kind that is"
    " not known here. Download it again, or look for another version of it."
)


def _convolution(name: str, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into, 3, 3), f"{name}.bias": (out,)}


def _only(shapes: Shapes, pattern: str) -> bool:
    return all(re.fullmatch(pattern, name) for name in shapes)


def _indices(names: Collection[str], pattern: str) -> list[int]:
    return sorted({int(match[1]) for name in names if (match := re.match(pattern, name))})


def _rrdb(shapes: Shapes) -> Rrdb:
    width, into, _, _ = shapes["conv_first.weight"]
    if into not in (3, 12, 48):
        raise ValueError(f"{into} channels are no colours")
    doublings = len(_indices(shapes, r"conv_up(\d)\.weight"))
    found = Rrdb(
        width=width,
        growth=shapes["body.0.rdb1.conv1.weight"][0],
        blocks=len(_indices(shapes, r"body\.(\d{1,4})\.rdb1\.")),
        doublings=doublings,
        unshuffle={3: 1, 12: 2, 48: 4}[into],  # type: ignore[arg-type]
        plus="body.0.rdb1.conv1x1.weight" in shapes,
    )
    if not 1 <= found.scale <= LARGEST_SCALE:
        raise ValueError(f"it makes pictures {found.scale} times larger")
    return found


def _compact(shapes: Shapes) -> Compact:
    last = _indices(shapes, r"body\.(\d{1,4})\.weight")[-1]
    return Compact(
        width=shapes["body.0.weight"][0],
        layers=(last - 2) // 2,
        scale=math.isqrt(shapes[f"body.{last}.weight"][0] // 3),
        slopes=shapes["body.1.weight"][0],
    )


def _renaming(names: set[str]) -> Callable[[str], str]:
    """From the names of one of the three spellings to ours, which are those of the newest."""
    if "model.0.weight" in names and any(name.startswith("model.1.sub.") for name in names):
        return _oldest(names)
    if any(name.startswith("RRDB_trunk.") for name in names):
        return _middle
    return lambda name: name


def _middle(name: str) -> str:
    """The spelling of ESRGAN's own repository."""
    name = re.sub(r"^RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2.", name)
    for theirs, ours in (("trunk_conv.", "conv_body."), ("upconv", "conv_up"), ("HRconv.", "conv_hr.")):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def _oldest(names: set[str]) -> Callable[[str], str]:
    """The spelling of BasicSR's first years: places in a list, in which the doublings come third."""
    places = _indices(names, r"model\.(\d{1,3})\.weight")[1:]
    trunk = max(_indices(names, r"model\.1\.sub\.(\d{1,4})\."))
    ends = {place: f"conv_up{number}" for number, place in enumerate(places[:-2], 1)}
    ends |= dict(zip(places[-2:], ("conv_hr", "conv_last"), strict=False))
    ends[0] = "conv_first"

    def rename(name: str) -> str:
        if match := re.fullmatch(r"model\.1\.sub\.(\d+)\.RDB(\d)\.(conv\d(?:x\d)?)(?:\.0)?\.(weight|bias)", name):
            return f"body.{match[1]}.rdb{match[2]}.{match[3]}.{match[4]}"
        if match := re.fullmatch(rf"model\.1\.sub\.{trunk}\.(weight|bias)", name):
            return f"conv_body.{match[1]}"
        if (match := re.fullmatch(r"model\.(\d+)\.(weight|bias)", name)) and int(match[1]) in ends:
            return f"{ends[int(match[1])]}.{match[2]}"
        return name

    return rename
