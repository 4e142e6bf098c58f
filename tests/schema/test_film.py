"""Videos are read by moments, and what cannot be read is said."""

import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from modules.schema.errors import InvalidRequest
from modules.schema.film import Film, evenly, film_facts
from modules.settings import REPOSITORY
from tests.films import ENDINGS, ball, difference, shade, times_of, write_film, write_sound


def looked(path: Path, count: int = 8) -> list[Image.Image]:
    with Film(path) as film:
        return list(film.frames(evenly(0, film.facts.length, count)))


def shade_at(path: Path, *moments: float) -> list[float]:
    """The shade seen at each second, as its moment from 0 to 1."""
    with Film(path) as film:
        return [(float(np.asarray(image).mean()) - 20) / 200 for image in film.frames(moments)]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("rate", [8, 25])
def test_a_clip_gives_the_same_frames_in_any_container_at_any_rate(tmp_path: Path, ending: str, rate: int) -> None:
    path = write_film(tmp_path / f"clip{ending}", ball, times_of(2, rate))
    for index, image in enumerate(looked(path)):
        wanted = ball(index / 7)
        nearest = max(difference(wanted, image), difference(ball(round(index / 7 * 2 * rate) / 2 / rate), image))
        assert nearest > 27, (index, nearest)


@pytest.mark.parametrize("ending", [".mp4", ".webm", ".gif"])
def test_the_last_moment_is_the_last_frame(tmp_path: Path, ending: str) -> None:
    path = write_film(tmp_path / f"clip{ending}", shade, times_of(2, 10))
    facts = film_facts(path)
    assert facts.length == pytest.approx(2, abs=0.02)
    assert (facts.width, facts.height) == (32, 32)
    assert not facts.cut_off
    assert shade_at(path, 0, facts.length) == pytest.approx([0, 1], abs=0.03)


def test_frames_that_stand_long_are_seen_until_the_next_one(tmp_path: Path) -> None:
    path = write_film(tmp_path / "slides.mp4", shade, [0, 0.1, 0.2, 0.3, 4, 8])
    assert shade_at(path, 0.3, 3.5, 4.0, 7.0, 8.0) == pytest.approx([0.0375, 0.0375, 0.5, 0.5, 1], abs=0.02)


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_what_a_telephone_turned_is_turned_back(tmp_path: Path, rotation: int) -> None:
    def corner(_moment: float) -> Image.Image:
        image = Image.new("RGB", (64, 32), "white")
        image.paste((200, 0, 0), (0, 0, 16, 16))
        return image

    plain = looked(write_film(tmp_path / "plain.mp4", corner, [0, 1]), 1)[0]
    turned = looked(write_film(tmp_path / "turned.mp4", corner, [0, 1], rotation=rotation), 1)[0]
    assert plain.size == (64, 32)
    assert turned.size == ((64, 32) if rotation == 180 else (32, 64))
    assert difference(plain.rotate(rotation, expand=True), turned) > 30


def test_what_is_transparent_in_a_gif_is_white(tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (32, 32), (0, 0, 0, 0)) for _ in range(3)]
    for index, frame in enumerate(frames):
        frame.paste((200, 0, 0, 255), (index * 8, 0, index * 8 + 8, 8))
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=200, disposal=2)
    image = looked(tmp_path / "a.gif", 3)[2]
    assert image.getpixel((20, 4)) == pytest.approx((200, 0, 0), abs=12)
    assert image.getpixel((4, 4)) == image.getpixel((4, 28)) == (255, 255, 255)


def test_jumping_finds_the_same_frames_as_reading_all(tmp_path: Path) -> None:
    path = write_film(tmp_path / "long.mp4", shade, times_of(60, 5), keys=40)
    moments = (3.0, 21.4, 22.0, 59.8, 10.2, 60.0)
    assert shade_at(path, *moments) == pytest.approx([moment / 60 for moment in moments], abs=0.01)


@pytest.mark.parametrize("ending", [".mkv", ".avi", ".webm"])
def test_jumping_works_in_other_containers(tmp_path: Path, ending: str) -> None:
    path = write_film(tmp_path / f"long{ending}", shade, times_of(40, 5), keys=25)
    assert shade_at(path, 30.0, 12.0) == pytest.approx([0.75, 0.3], abs=0.02)


MEASURED = """
import resource, sys
from pathlib import Path
from modules.schema.film import Film, evenly
with Film(Path(sys.argv[1])) as film:
    seen = [image.getpixel((0, 0))[0] for image in film.frames(evenly(0, film.facts.length, 200))]
assert sorted(seen) == seen and seen[-1] > 200, seen
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_film_of_two_hours_takes_no_more_memory_than_a_clip(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("Memory is counted in other units elsewhere.")
    peaks: list[int] = []
    for name, seconds in (("short", 20), ("long", 7200)):
        path = write_film(tmp_path / f"{name}.mp4", shade, times_of(seconds, 1), keys=50)
        command = [sys.executable, "-c", MEASURED, str(path)]
        run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        peaks.append(int(run.stdout) // 1024)
    assert peaks[1] < peaks[0] + 30, peaks  # MB


def test_an_mp4_for_the_network_that_is_cut_off_is_seen_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.mp4", ball, times_of(30, 10), options={"movflags": "+faststart"}).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    facts = film_facts(tmp_path / "cut.mp4")
    assert facts.cut_off
    assert 10 < facts.length < 26
    assert len(looked(tmp_path / "cut.mp4")) == 8


def test_one_frame_is_seen_again_and_again(tmp_path: Path) -> None:
    path = write_film(tmp_path / "one.mp4", shade, [0])
    assert film_facts(path).length == 0
    assert len(looked(path, 8)) == 8


def test_a_recording_without_a_length_is_measured(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "live.webm"), "w", options={"live": "1"}) as container:
        stream = container.add_stream("libvpx-vp9", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for index in range(31):
            container.mux(stream.encode(av.VideoFrame.from_image(shade(index / 30))))
        container.mux(stream.encode(None))
    assert film_facts(tmp_path / "live.webm").length == pytest.approx(3, abs=0.05)


def test_a_film_that_is_cut_off_is_seen_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.mkv", ball, times_of(30, 10)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    facts = film_facts(tmp_path / "cut.mkv")
    assert 10 < facts.length < 26
    assert facts.cut_off
    assert len(looked(tmp_path / "cut.mkv")) == 8


def test_an_mp4_without_its_end_is_refused(tmp_path: Path) -> None:
    whole = write_film(tmp_path / "whole.mp4", ball, times_of(4, 10)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidRequest, match="damaged or cut off"):
        film_facts(tmp_path / "cut.mp4")


def test_a_header_that_claims_a_gigabyte_is_no_reason_to_take_one(tmp_path: Path) -> None:
    data = bytearray(write_film(tmp_path / "whole.mp4", ball, times_of(2, 10)).read_bytes())
    place = data.index(b"mdat") - 4
    data[place : place + 4] = struct.pack(">I", 1 << 30)
    (tmp_path / "liar.mp4").write_bytes(data)
    tracemalloc.start()
    with pytest.raises(InvalidRequest, match="damaged or cut off"):
        film_facts(tmp_path / "liar.mp4")
    assert tracemalloc.get_traced_memory()[1] < 20_000_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hello, this is a letter\n" * 50, "not a video that can be read"),
        (b"", "not a video that can be read"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n", "not a video that can be read"),
        (b"ffconcat version 1.0\nfile whole.mp4\n", "not a video that can be read"),
    ],
)
def test_what_is_no_video_is_refused_and_lists_of_other_files_are_not_followed(
    tmp_path: Path, content: bytes, words: str
) -> None:
    write_film(tmp_path / "whole.mp4", shade, [0, 1])
    (tmp_path / "letter.mp4").write_bytes(content)
    with pytest.raises(InvalidRequest, match=words) as caught:
        film_facts(tmp_path / "letter.mp4")
    assert caught.value.field == "videos"


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="There is sound in this file but no picture"):
        film_facts(write_sound(tmp_path / "song.mp4"))


def test_sound_beside_the_pictures_is_no_matter(tmp_path: Path) -> None:
    path = write_film(tmp_path / "with.mp4", shade, times_of(1, 10), sound=True)
    assert shade_at(path, 0.5) == pytest.approx([0.5], abs=0.03)


def test_frames_of_8k_are_looked_at(tmp_path: Path) -> None:
    path = write_film(tmp_path / "large.mp4", lambda moment: Image.new("RGB", (7680, 4320), (200, 30, 30)), [0, 0.1])
    [image] = looked(path, 1)
    assert image.size == (7680, 4320)


def test_reading_leaves_no_file_open(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("Open files are listed in /proc on Linux only.")
    path = write_film(tmp_path / "a.mp4", shade, times_of(30, 5))
    looked(path)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(InvalidRequest):
        film_facts(tmp_path / "b.mp4")
    held = [
        str(Path(f"/proc/self/fd/{name}").readlink())
        for name in os.listdir("/proc/self/fd")
        if name.isdigit() and Path(f"/proc/self/fd/{name}").exists()
    ]
    assert [name for name in held if name.startswith(str(tmp_path))] == []
