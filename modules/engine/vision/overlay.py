"""Pictures of what a model saw: its frames in rows, and a clip of them with what it attended to."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import cv2
import numpy as np
from PIL import Image

COLUMNS = 8
"""Frames of a row."""

SMALLEST = 256
"""Pixels of a clip's side at least; smaller frames are shown larger."""

SLOWEST, FASTEST = 1.0, 8.0
"""Frames a second of a clip."""

GLOW = 0.65
"""How much is covered of what was attended to most."""


def strip(frames: Sequence[Image.Image]) -> bytes:
    """The frames in rows, from the top left, as a PNG."""
    width, height = frames[0].size
    rows = -(-len(frames) // COLUMNS)
    sheet = Image.new("RGB", (width * min(COLUMNS, len(frames)), height * rows), "white")
    for index, frame in enumerate(frames):
        sheet.paste(frame, (index % COLUMNS * width, index // COLUMNS * height))
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def glowing(frames: Sequence[Image.Image], maps: np.ndarray) -> list[Image.Image]:
    """The frames, the brighter the more was looked at; `maps` are [frames, rows, columns] from 0 to 1."""
    shown: list[Image.Image] = []
    for frame, values in zip(frames, maps, strict=True):
        heat = cv2.resize(values.astype(np.float32), frame.size, interpolation=cv2.INTER_CUBIC).clip(0, 1)
        colours = cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
        share = (0.15 + heat * (GLOW - 0.15))[..., None]
        mixed = np.asarray(frame, np.float32) * (1 - share) + colours * share
        shown.append(Image.fromarray(np.rint(mixed).astype(np.uint8)))
    return shown


def clip(frames: Sequence[Image.Image], seconds: float) -> bytes:
    """An MP4 of the frames, at about the pace at which they were."""
    pace = (len(frames) - 1) / seconds if seconds > 0 else SLOWEST
    rate = Fraction(round(min(max(pace, SLOWEST), FASTEST) * 100), 100)
    factor = -(-SMALLEST // min(frames[0].size))
    width, height = (side * factor // 2 * 2 for side in frames[0].size)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            large = frame.resize((width, height), Image.Resampling.BILINEAR)
            container.mux(stream.encode(av.VideoFrame.from_image(large)))
        container.mux(stream.encode(None))
    return file.getvalue()
