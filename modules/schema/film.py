"""Videos as moments: frames by the second at which they are seen, whatever the file's format, frame rate or rotation.

A file is never held in memory: it is read from one moment to the next, and what lies between far moments is skipped
where the format allows it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from modules.schema.errors import InvalidRequest
from modules.schema.media import LARGEST_AREA, LARGEST_SIDE, flatten

FORMATS = (
    "mov", "mp4", "matroska", "webm", "avi", "gif", "apng", "mpegts", "mpeg", "flv", "asf", "ogg", "mp3", "wav", "flac",
)  # fmt: skip
"""Containers that are opened, by ffmpeg's names. Not among them: lists that name other files or addresses."""

CONTAINER_OPTIONS = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file", "max_pixels": "300000000"}

WITHOUT_JUMPS = frozenset({"gif", "apng"})
"""Formats whose frames build on those before, although they do not say so."""

TAIL = 10.0
"""Seconds before the end that a file claims where its real end is looked for."""

WORTH_A_JUMP = 3.0
"""Seconds from which on what lies between two moments is skipped instead of decoded."""

LONGEST_HALF = 0.1
"""Seconds by which a frame may be early at most, to be taken for the one before it."""

LINE_UP = 1e-4
"""Seconds by which times may differ that are the same."""


@dataclass(frozen=True)
class FilmFacts:
    """What a video is like."""

    width: int
    height: int
    """As it is shown: turned upright, with square pixels."""
    length: float
    """Seconds from its first frame to its last one."""
    rate: float
    """Frames a second, on average; 0 where that is not known."""
    cut_off: bool
    """Whether the file ends before the end that it claims."""


class Film:
    """An open video. Use it in a with statement."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidRequest with a sentence for what is no video that can be used."""
        self._path = path
        self._container, self._stream = _open(path)
        try:
            self._begin, self._length, cut_off = _measured(self._container, self._stream, path)
            self._frames = self._decoded(None)
            first = next(self._frames, None)
            if first is None:
                raise _no_frames()
            shown = _upright(first, self._stream)
        except FFmpegError as error:
            self.close()
            raise _damaged(error) from None
        except InvalidRequest:
            self.close()
            raise
        self._previous, self._next = first, next(self._frames, None)
        rate = float(self._stream.average_rate or 0)
        self.facts = FilmFacts(shown.width, shown.height, self._length, rate, cut_off)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._container.close()

    def frames(self, moments: Iterable[float]) -> Iterator[Image.Image]:
        """What is seen at each of the moments (seconds, rising), upright, RGB, in square pixels.

        Behind the last frame that can be read, that one. Raises InvalidRequest when the file is damaged.
        """
        shown: tuple[VideoFrame, Image.Image] | None = None
        for moment in moments:
            frame = self._at(moment)
            if shown is None or shown[0] is not frame:
                shown = frame, _upright(frame, self._stream)
            yield shown[1]

    def _at(self, moment: float) -> VideoFrame:
        self._jump(moment)
        while self._next is not None and self._time(self._next) <= moment + LINE_UP:
            self._step()
        if self._next is not None and self._time(self._next) - moment < self._half_a_frame():
            return self._next
        return self._previous

    def _half_a_frame(self) -> float:
        """Of two frames the nearer one is taken, but of a picture that stands longer the frame that is seen."""
        rate = self._stream.average_rate or self._stream.base_rate
        return min(0.5 / float(rate), LONGEST_HALF) if rate else 0.0

    def _step(self) -> None:
        assert self._next is not None
        self._previous = self._next
        try:
            self._next = next(self._frames, None)
        except FFmpegError:  # the rest is damaged: what was read so far is what there is
            self._next = None

    def _jump(self, moment: float) -> None:
        here = self._time(self._previous)
        if 0 <= moment - here < WORTH_A_JUMP or (self._container.format.name in WITHOUT_JUMPS and moment >= here):
            return
        if moment >= here and self._next is None:
            return
        self._restart(moment)

    def _restart(self, moment: float) -> None:
        """Go on from the last key frame before a moment; from the very beginning where that is not possible."""
        target: float | None = moment
        while True:
            self._container.close()
            self._container, self._stream = _open(self._path)
            frames = self._decoded(target)
            try:
                first = next(frames, None)
                if first is not None and (self._time(first) <= moment + LINE_UP or target is None):
                    self._frames, self._previous, self._next = frames, first, next(frames, None)
                    return
            except FFmpegError as error:
                if target is None:
                    raise _damaged(error) from None
            if target is None:
                raise _no_frames()
            target = None

    def _decoded(self, moment: float | None) -> Iterator[VideoFrame]:
        """Frames in the order in which they are seen, from a key frame before a moment or from the beginning."""
        container, stream = self._container, self._stream
        if moment is not None and container.format.name not in WITHOUT_JUMPS:
            container.seek(int((self._begin + moment) / stream.time_base), stream=stream, backward=True)  # type: ignore[operator]
        for frame in container.decode(stream):
            if frame.pts is not None:
                yield frame

    def _time(self, frame: VideoFrame) -> float:
        assert frame.pts is not None and frame.time_base is not None
        return float(frame.pts * frame.time_base) - self._begin


def evenly(begin: float, end: float, count: int) -> tuple[float, ...]:
    """So many moments from the beginning to the end, both among them; one alone lies in the middle."""
    if count == 1:
        return ((begin + end) / 2,)
    return tuple(begin + (end - begin) * index / (count - 1) for index in range(count))


def film_facts(path: Path) -> FilmFacts:
    """What a video is like. Raises InvalidRequest with a sentence for what is no video that can be used."""
    with Film(path) as film:
        return film.facts


def _open(path: Path) -> tuple[InputContainer, VideoStream]:
    try:
        container = av.open(str(path.resolve()), options=CONTAINER_OPTIONS, metadata_errors="replace")
    except FFmpegError as error:
        raise _damaged(error) from None
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        has_sound = bool(container.streams.audio)
        container.close()
        raise InvalidRequest(
            "There is sound in this file but no picture. Give a video."
            if has_sound
            else "There is no picture in this file. Give a video.",
            "videos",
        )
    stream = streams[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if max(width, height) > LARGEST_SIDE or width * height > LARGEST_AREA:
        container.close()
        raise InvalidRequest(
            f"The video has {width} x {height} pixels: too large to look at. Make it smaller: at most {LARGEST_SIDE}"
            f" pixels a side and {LARGEST_AREA // 1_000_000} million in all.",
            "videos",
        )
    stream.thread_type = "AUTO"
    return container, stream


def _measured(container: InputContainer, stream: VideoStream, path: Path) -> tuple[float, float, bool]:
    """(when the first frame is seen, how long after it the last one, whether the end that is claimed is missing).

    Only the packets' times are read, near the end where the file says truly where that is.
    """
    claimed = _claimed_end(container, stream)
    begin = float(stream.start_time * stream.time_base) if stream.start_time is not None and stream.time_base else None
    last = None
    if claimed is not None and claimed > 2 * TAIL and container.format.name not in WITHOUT_JUMPS:
        last = _last_time(container, stream, claimed - TAIL)
    whole = last is not None and claimed is not None and last > claimed - TAIL
    if begin is None or not whole:
        with av.open(str(path.resolve()), options=CONTAINER_OPTIONS, metadata_errors="replace") as fresh:
            times = list(_extremes(fresh, fresh.streams[stream.index]))  # type: ignore[arg-type]
        if not times:
            raise _no_frames()
        begin, last = times[0] if begin is None else begin, times[-1]
    assert last is not None
    container.seek(0)
    frame = 1 / float(stream.average_rate) if stream.average_rate else 0.0
    return begin, max(0.0, last - begin), claimed is not None and last + frame < claimed - 0.5


def _claimed_end(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None


def _last_time(container: InputContainer, stream: VideoStream, moment: float) -> float | None:
    """When the last frame behind a moment is seen; None when the file does not go that far."""
    try:
        container.seek(int(moment / stream.time_base), stream=stream, backward=True)  # type: ignore[operator]
        times = list(_extremes(container, stream))
    except FFmpegError:
        return None
    return times[-1] if times else None


def _extremes(container: InputContainer, stream: VideoStream) -> Iterator[float]:
    """The first and the last time at which a packet from here on is seen; nothing where there are none."""
    first = last = None
    try:
        for packet in container.demux(stream):
            ticks = packet.pts if packet.pts is not None else packet.dts
            if ticks is None or packet.is_corrupt:
                continue
            time = float(ticks * packet.time_base)
            first, last = time if first is None else min(first, time), time if last is None else max(last, time)
    except FFmpegError:  # cut off here
        pass
    if first is not None and last is not None:
        yield from (first, last)


def _upright(frame: VideoFrame, stream: VideoStream) -> Image.Image:
    """The frame as people see it: RGB on white, square pixels, turned as the file says."""
    if frame.width * frame.height > LARGEST_AREA:
        raise InvalidRequest("The video becomes too large to look at. Make it smaller.", "videos")
    image = _pixels(frame)
    ratio = float(stream.sample_aspect_ratio or 1)
    if ratio != 1 and 0.05 < ratio < 20:
        image = image.resize((max(1, round(image.width * ratio)), image.height), Image.Resampling.BILINEAR)
    turns = round(frame.rotation / 90) % 4
    return image.transpose(_TURNS[turns]) if turns else image


_TURNS: dict[int, Any] = {
    1: Image.Transpose.ROTATE_90,
    2: Image.Transpose.ROTATE_180,
    3: Image.Transpose.ROTATE_270,
}


def _pixels(frame: VideoFrame) -> Image.Image:
    has_alpha = frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)
    if not has_alpha:
        return Image.fromarray(frame.to_ndarray(format="rgb24"))
    return flatten(Image.fromarray(np.ascontiguousarray(frame.to_ndarray(format="rgba")), "RGBA"))


def _no_frames() -> InvalidRequest:
    return InvalidRequest("There is not one whole frame in this video. Save or download it again.", "videos")


def _damaged(error: Exception) -> InvalidRequest:
    return InvalidRequest(
        "This file is not a video that can be read, whatever its name says, or it is damaged or cut off"
        f" ({getattr(error, 'strerror', None) or type(error).__name__}). Give an MP4, MOV, WebM, MKV, AVI or GIF.",
        "videos",
    )
