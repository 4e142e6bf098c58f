"""Small videos of all kinds, written with PyAV."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw

CODECS = {".mp4": "libx264", ".mov": "libx264", ".mkv": "libx264", ".webm": "libvpx-vp9", ".avi": "mpeg4"}
ENDINGS = (*CODECS, ".gif")

Draw = Callable[[float], Image.Image]
"""A moment from 0 to 1 -> what is seen."""


def ball(moment: float, side: int = 96) -> Image.Image:
    """A red circle on blue that moves to the right."""
    image = Image.new("RGB", (side * 2, side * 2), (30, 70, 215))
    x, y, r = side * 2 * (0.2 + 0.6 * moment), side, side * 0.36
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), (228, 20, 35))
    return image.resize((side, side), Image.Resampling.LANCZOS)


def shade(moment: float, side: int = 32) -> Image.Image:
    """A grey that says when it is: 20 at the beginning, 220 at the end."""
    value = round(20 + 200 * moment)
    return Image.new("RGB", (side, side), (value,) * 3)


def times_of(seconds: float, rate: float) -> list[float]:
    """When frames are seen at a constant rate, the last one exactly at the end or just before it."""
    return [index / rate for index in range(int(seconds * rate + 1e-6) + 1)]


def write_film(
    path: Path,
    draw: Draw,
    times: Sequence[float],
    *,
    rotation: int = 0,
    sound: bool = False,
    keys: int = 12,
    options: dict[str, str] | None = None,
) -> Path:
    """A video whose frames are seen at these seconds."""
    ending = path.suffix
    if ending == ".gif":
        return write_gif(path, draw, times)
    length = times[-1] or 1.0
    first = draw(0.0)
    rate = Fraction(round(1000 * (len(times) - 1) / length) or 1000, 1000) if len(times) > 1 else Fraction(10)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(CODECS[ending], rate=rate)
        stream.width, stream.height = first.size
        stream.pix_fmt = "yuv420p"
        tick = Fraction(1, 1000) if ending != ".avi" else 1 / rate
        stream.codec_context.time_base = tick
        stream.codec_context.gop_size = keys
        if ending in (".mp4", ".mov", ".mkv"):
            stream.options = {"crf": "12", "preset": "ultrafast"}
        elif ending == ".avi":
            stream.codec_context.bit_rate = 4_000_000
        elif ending == ".webm":
            stream.options = {"deadline": "realtime", "cpu-used": "8", "crf": "12", "b": "0"}
        if rotation:
            stream.set_display_rotation(rotation)
        audio = container.add_stream("aac", rate=44_100) if sound else None
        for time in times:
            frame = av.VideoFrame.from_image(draw(time / length))
            frame.pts, frame.time_base = round(time / tick), tick
            container.mux(stream.encode(frame))
        if audio is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            silence.sample_rate = 44_100
            container.mux(audio.encode(silence))
            container.mux(audio.encode(None))
        container.mux(stream.encode(None))
    return path


def write_gif(path: Path, draw: Draw, times: Sequence[float]) -> Path:
    """An animation; its clock ticks a hundred times a second."""
    length = times[-1] or 1.0
    frames = [draw(time / length).quantize(256, dither=Image.Dither.NONE) for time in times]
    ticks = [round(time * 100) for time in times]
    stays = [10 * (after - before) for before, after in zip(ticks, [*ticks[1:], ticks[-1] + 10], strict=True)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=stays, loop=0)
    return path


def write_sound(path: Path) -> Path:
    """A file with sound alone."""
    with av.open(str(path), "w") as container:
        audio = container.add_stream("aac", rate=44_100)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 44_100
        container.mux(audio.encode(silence))
        container.mux(audio.encode(None))
    return path


def difference(one: Image.Image, other: Image.Image) -> float:
    """PSNR in dB at the size of the first."""
    a = np.asarray(one, np.float64)
    b = np.asarray(other.resize(one.size, Image.Resampling.BILINEAR), np.float64)
    return float(10 * np.log10(255**2 / max(1e-9, ((a - b) ** 2).mean())))
