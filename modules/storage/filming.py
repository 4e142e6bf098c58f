"""Frames to a clip, through the FFmpeg that imageio-ffmpeg brings. One frame is in memory at a time.

The same frames give the same bytes: no time of day and no encoder's name go into the file.
"""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg  # type: ignore[import-untyped]
from PIL import Image

from modules.schema.animation import repeats
from modules.schema.errors import KararliError
from modules.schema.media import Clip
from modules.schema.requests import Interpolate
from modules.storage.labels import label

Tell = Callable[[float], None]
"""Told the share that is done."""

EVEN = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
"""Half-size colour planes need even sides."""

BT709 = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709"
"""What players take colours for that say nothing; said, and meant: the conversion is told too."""

EXACT = "flags=accurate_rnd+full_chroma_int"
YUV = ("-vf", f"{EVEN},scale=out_color_matrix=bt709:{EXACT},format=yuv420p,{BT709}")

ENCODERS: Mapping[str, tuple[str, ...]] = {
    "mp4": ("-c:v", "libx264", "-preset", "medium", "-crf", "16", *YUV, "-movflags", "+faststart", "-f", "mp4"),
    "webm": ("-c:v", "libvpx-vp9", "-crf", "20", "-b:v", "0", "-cpu-used", "3", "-row-mt", "1", *YUV, "-f", "webm"),
    "apng": ("-c:v", "apng", "-pred", "mixed", "-plays", "0", "-f", "apng"),
    "webp": ("-c:v", "libwebp_anim", "-quality", "90", "-loop", "0", "-f", "webp"),
    "gif": ("-lavfi", "paletteuse=dither=sierra2_4a:diff_mode=rectangle", "-loop", "0", "-f", "gif"),
}
"""What FFmpeg is told for each format."""

ENDINGS = {"apng": "png"}
"""Where a file's ending is not its format's name."""

KEYS = {"mp4": ("comment", "description"), "webm": ("comment", "kararli")}
"""Under which keys containers that FFmpeg labels hold the parameters and the record."""


@dataclass(frozen=True)
class Shot:
    """Frames that are there, of the animation that a request asks for."""

    request: Interpolate
    paths: Sequence[Path]

    @property
    def fps(self) -> int:
        """Frames that the clip shows in a second."""
        return self.request.filming.fps * self.request.filming.smooth

    def counts(self) -> list[int]:
        """How often each painted frame is shown before the frames that follow it by flow."""
        filming, keys = self.request.filming, self.request.keyframes
        held = [repeats(keys, filming, frame) - 1 for frame in range(len(self.paths))]
        return [1 + extra * filming.smooth for extra in held]

    def pairs(self) -> int:
        """Between how many neighbours there are frames by flow; a closed clip goes on to its first one."""
        closed = self.request.filming.closing > 0 and len(self.paths) == self.request.frame_count
        return max(0, len(self.paths) - (0 if closed else 1)) if self.request.filming.smooth > 1 else 0

    def length(self) -> int:
        """How many frames the clip shows."""
        return sum(self.counts()) + self.pairs() * (self.request.filming.smooth - 1)

    def images(self, tell: Tell) -> Iterator[Image.Image]:
        """All that the clip shows, in its order."""
        counts, pairs = self.counts(), self.pairs()
        following = _opened(self.paths[0])
        for place, count in enumerate(counts):
            image = following
            yield from (image for _ in range(count))
            if place + 1 < len(counts) or place < pairs:
                following = _opened(self.paths[(place + 1) % len(counts)])
            if place < pairs:
                from modules.storage.flow import between

                yield from between(image, following, self.request.filming.smooth - 1)
            tell((place + 1) / len(counts))


def film(shot: Shot, texts: tuple[str, str], target: Path, tell: Tell) -> Clip:
    """Write a clip with its parameters and its record to a file. Raises KararliError when FFmpeg refuses."""
    kind = shot.request.filming.format
    width, height = _opened(shot.paths[0]).size
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(shot.fps), "-i", "pipe:0")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".filming-") as folder:
        extra: tuple[str, ...] = ()
        if kind == "gif":  # the palette of all frames first: in one pass FFmpeg would hold them all in memory
            palette = Path(folder) / "palette.png"
            stream = shot.images(lambda share: tell(share / 2))
            _run((*source, "-vf", "palettegen=stats_mode=full", str(palette)), stream)
            extra = ("-i", str(palette))
        elif kind in KEYS:
            labels = Path(folder) / "labels.txt"
            labels.write_text(_labels(dict(zip(KEYS[kind], texts, strict=True))), encoding="utf-8", newline="\n")
            extra = ("-f", "ffmetadata", "-i", str(labels), "-map_metadata", "1")
        begin = 0.5 if kind == "gif" else 0.0
        stream = shot.images(lambda share: tell(begin + share * (1 - begin)))
        mapped = () if kind == "gif" else ("-map", "0:v")
        _run((*source, *extra, *mapped, *ENCODERS[kind], str(target)), stream)
    if kind not in KEYS:
        label(target, kind, *texts)
    even = (width + width % 2, height + height % 2) if kind in KEYS else (width, height)
    return Clip(kind, *even, shot.length(), shot.fps)


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _run(arguments: Sequence[str], images: Iterator[Image.Image]) -> None:
    exact = ("-fflags", "+bitexact", "-flags:v", "+bitexact")
    *given, target = arguments
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *given, *exact, target]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:  # one that ends before its time says why
                for image in images:
                    process.stdin.write(image.tobytes())
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        said.seek(0)
        reason = said.read(2000).decode(errors="replace").strip()
    if code:
        raise KararliError(
            f"The clip could not be written: {reason or f'FFmpeg ended with code {code}'}. The frames are kept: make"
            " room on the disk, and continue the animation."
        )


def _labels(texts: Mapping[str, str]) -> str:
    """FFmpeg's own text form of labels."""

    def escaped(text: str) -> str:
        for mark in "\\=;#\n":
            text = text.replace(mark, "\\" + mark)
        return text

    return ";FFMETADATA1\n" + "".join(f"{key}={escaped(text)}\n" for key, text in texts.items())
