"""The tab for animations: keyframes over time on the left, the clip on the right."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import gradio as gr
from pydantic import ValidationError

from modules.schema.animation import Border, ClipFormat, Keyframe, TextPath
from modules.schema.errors import KararliError
from modules.schema.events import Cancelled, Failed, PictureReady
from modules.schema.requests import RANDOM_SEED, Interpolate
from modules.schema.sampling import AUTOMATIC
from modules.storage.opening import decoded
from modules.storage.reading import read_picture
from modules.ui.clips import ClipPane, Updates
from modules.ui.filling import Filler
from modules.ui.form import Form
from modules.ui.page import Page
from modules.ui.painting import literal_choices, size_controls
from modules.ui.prompts import add_counter, reading_controls
from modules.ui.seeds import seed_controls
from modules.ui.takeover import Takeover
from modules.ui.timeline import SPACING, KeyframeList
from modules.ui.widgets import note_card

MODES = {
    "walk": "Walk: from words and seeds to others",
    "morph": "Morph: from picture to picture",
    "orbit": "Orbit: around one seed, without an end",
    "camera": "Camera: move over the last frame",
}
PATHS = {"linear": "Straight", "slerp": "Along an arc"}
BORDERS = {"reflect": "Mirror", "replicate": "Edge", "wrap": "Other side"}
FORMATS = {
    "mp4": "MP4 (H.264)",
    "webm": "WebM (VP9)",
    "gif": "GIF",
    "apng": "APNG",
    "webp": "WebP",
    "png": "A folder of PNG files",
}
assert set(PATHS) == set(get_args(TextPath)) and set(BORDERS) == set(get_args(Border))
assert set(FORMATS) == set(get_args(ClipFormat))


class _Filler(Filler):
    """A result that is sent here becomes the first keyframe; a second one leads to the next seed."""

    def _of_result(self, path: str) -> Takeover:
        taken, data = self._parameters(path), Path(path).read_bytes()
        words = {name: taken.values.get(name, "") for name in ("prompt", "negative_prompt")}
        seed = int(taken.values.get("seed", 0))
        first = Keyframe(**words, seed=seed, easing="ease in-out")
        second = Keyframe(**words, seed=(seed + 1) % 2**32, time=SPACING)
        if not _from_words_alone(data):
            first = first.model_copy(update={"picture": self._page.jobs.keep_picture(data), "strength": 0.0})
            second = second.model_copy(update={"picture": first.picture})
        own = {"prompt": "", "negative_prompt": "", "mode": "walk", "keyframes": (first, second)}
        return replace(taken, values={**taken.values, **own})


def _from_words_alone(data: bytes) -> bool:
    """Whether the same words and seed, without hires fix, give this picture: then it need not be encoded."""
    record = read_picture(data).record
    request = record.request if record is not None else {}
    return request.get("task") == "txt2img" and not request.get("hires", {}).get("enabled")


def animate_tab(page: Page) -> None:
    """Keyframes and settings on the left, the clip on the right."""
    say, form = page.translate, Form(Interpolate, page.translate, "animate-")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5):
            form.add("checkpoint", page.checkpoint)
            keyframes = KeyframeList(page, form)
            with gr.Row():
                animate = gr.Button(say("Animate"), variant="primary", scale=3, elem_id="animate-generate")
                look = gr.Button(say("Preview strip"), scale=2, elem_id="animate-look")
            filler = _controls(form, page)
        with gr.Column(scale=6):
            pane = ClipPane(page)
            strip = _Strip(page)
    keyframes.connect()
    filler.connect()
    _connect(page, form, keyframes, pane, animate)
    strip.connect(form, keyframes, look)


def _controls(form: Form[Interpolate], page: Page) -> Filler:
    say = page.translate
    with gr.Group():
        form.dropdown("mode", literal_choices(page, MODES), info=None)
        with gr.Row():
            form.slider("filming.fps", info=None)
            form.slider("filming.closing", maximum=20)
        with gr.Row():
            form.dropdown("filming.format", literal_choices(page, FORMATS), info=None)
            form.slider("filming.smooth", info=None)
            form.checkbox("filming.keep_frames", info=None)
    with gr.Accordion(say("Words of all keyframes"), open=False):
        prompt = form.textbox("prompt", lines=1, max_lines=8)
        add_counter(page, prompt)
        add_counter(page, form.textbox("negative_prompt", lines=1, max_lines=8), negative=True)
        form.dropdown("text_path", literal_choices(page, PATHS))
    filler = page.fillers["animate"] = _Filler(page, form, prompt)
    page.exchange.take("animate")
    with gr.Accordion(say("Pictures and orbits"), open=False), gr.Row():
        form.slider("strength")
        form.slider("orbit")
    with gr.Accordion(say("Camera"), open=False, elem_id="animate-camera"):
        with gr.Row():
            form.textbox("camera.zoom")
            form.textbox("camera.angle")
        with gr.Row():
            form.textbox("camera.pan_x")
            form.textbox("camera.pan_y")
        with gr.Row():
            form.textbox("camera.strength")
            form.dropdown("camera.border", literal_choices(page, BORDERS), info=None)
            form.checkbox("camera.colours")
    size_controls(form, page, "The checkpoint's own")
    _sampling(form, page)
    return filler


def _sampling(form: Form[Interpolate], page: Page) -> None:
    with gr.Row():
        form.slider("sampling.steps", info=None)
        form.slider("sampling.guidance_scale", info=None)
    with gr.Row():
        form.dropdown("sampling.sampler", [sampler.name for sampler in page.plugins.samplers()], info=None)
        schedules = [AUTOMATIC, *(schedule.label for schedule in page.plugins.schedules())]
        form.dropdown("sampling.schedule", schedules, info=None)
    form.slider("batch_size")
    with gr.Row(equal_height=True):
        seed = form.number("seed", scale=3, info=None)
        random = gr.Button(page.translate("Random"), min_width=80)
    random.click(lambda: RANDOM_SEED, None, [seed], api_visibility="private", show_progress="hidden")
    seed_controls(form, page)
    reading_controls(form, page)


def _connect(page: Page, form: Form[Interpolate], keyframes: KeyframeList, pane: ClipPane, animate: gr.Button) -> None:
    memory = page.animation
    assert memory is not None

    def start(values: Mapping[str, Any]) -> Iterator[Updates]:
        """Make an animation."""
        try:
            job = page.jobs.submit(_read(form, keyframes, values))
        except (KararliError, OSError) as error:
            yield pane.refuse(str(error))
            return
        yield {memory: {"job": job.id, "request": job.request.model_dump_json()}}
        yield from pane.watch(job.id)

    def resume(remembered: Mapping[str, str] | None) -> Iterator[Updates]:
        """After a reload: the form as it was, and this browser's last animation."""
        try:
            request = Interpolate.model_validate_json((remembered or {}).get("request", ""))
        except ValidationError:
            yield {pane.job: gr.skip()}
            return
        yield {control: update for control, update in form.write(request).items() if control is not page.checkpoint}
        shown = (remembered or {}).get("job", "")
        if page.jobs.knows(shown):
            yield from pane.watch(shown)
        else:
            yield pane.found(shown)

    outputs = [*pane.outputs(), memory]
    animate.click(
        _with_keyframe(form, keyframes, start), inputs_kwargs={**form.inputs(), **keyframes.inputs()}, outputs=outputs,
        api_name="interpolate", concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip
    page.blocks.load(
        resume, [memory], [*pane.outputs(), *form.inputs().values()], api_visibility="private",
        concurrency_limit=None, show_progress="hidden",
    )  # fmt: skip


class _Strip:
    """A few frames at few steps, before the whole animation is painted."""

    def __init__(self, page: Page) -> None:
        self._page, say = page, page.translate
        self._waiting = say("Painting the strip …")
        with gr.Accordion(say("Preview strip"), open=False, elem_id="animate-strip-settings"), gr.Row():
            self._count = gr.Slider(2, 16, 6, step=1, label=say("Frames"), elem_id="animate-strip-count")
            self._steps = gr.Slider(1, 30, 6, step=1, label=say("Steps"), elem_id="animate-strip-steps")
        self._stage = gr.HTML("", elem_id="animate-strip-stage")
        self._frames = gr.Gallery(
            label=say("Preview strip"), columns=6, height=190, object_fit="contain", interactive=False, visible=False,
            elem_id="animate-strip", buttons=["fullscreen"],
        )  # fmt: skip

    def connect(self, form: Form[Interpolate], keyframes: KeyframeList, button: gr.Button) -> None:
        """Let the button paint the strip."""

        def paint(values: Mapping[str, Any]) -> Iterator[Updates]:
            """A few frames of an animation at few steps."""
            try:
                request = _read(form, keyframes, values)
                chosen = strip_frames(request.frame_count, int(values.get("strip_count") or 6))
                sampling = request.sampling.model_copy(update={"steps": int(values.get("strip_steps") or 6)})
                quick = request.model_copy(update={"chosen": chosen, "sampling": sampling})
                job = self._page.jobs.submit(quick, save=False)
            except (KararliError, OSError) as error:
                yield {self._stage: note_card(str(error), "problem")}
                return
            yield {self._stage: note_card(self._waiting), self._frames: gr.skip()}
            yield from self._watch(job.id, chosen)

        inputs = {**form.inputs(), **keyframes.inputs(), "strip_count": self._count, "strip_steps": self._steps}
        button.click(
            _with_keyframe(form, keyframes, paint, ("strip_count", "strip_steps")), inputs_kwargs=inputs,
            outputs=[self._stage, self._frames], api_visibility="private", concurrency_limit=None,
            show_progress="hidden",
        )  # fmt: skip

    def _watch(self, job_id: str, chosen: tuple[int, ...]) -> Iterator[Updates]:
        frames: list[tuple[Any, str]] = []
        for burst in self._page.jobs.watch_bursts(job_id):
            arrived = [event for event in burst if isinstance(event, PictureReady)]
            frames += [(decoded(event.read()).image(), f"{chosen[event.index]}") for event in arrived]
            if arrived:
                yield {self._frames: gr.update(value=list(frames), visible=True)}
            for event in burst:
                if isinstance(event, Failed | Cancelled):
                    yield {self._stage: note_card(self._page.translate(event.reason), "problem")}
                    return
        # with the frames again: of two updates that follow closely the gallery loses one
        yield {self._stage: "", self._frames: gr.update(value=list(frames), visible=True)}


def strip_frames(frames: int, count: int) -> tuple[int, ...]:
    """Frames for a strip: evenly spaced, the first and the last among them."""
    count = max(min(count, frames), 1)
    return tuple(dict.fromkeys(round(number * (frames - 1) / max(count - 1, 1)) for number in range(count)))


def _read(form: Form[Interpolate], keyframes: KeyframeList, values: Mapping[str, Any]) -> Interpolate:
    """The request that the controls make. Raises KararliError or OSError."""
    sides = {side: values.get(side) or None for side in ("width", "height")}  # an empty number comes as 0
    return form.read({**values, **sides, "keyframes": keyframes.current(values)})


def _with_keyframe(form: Form[Interpolate], keyframes: KeyframeList, function: Any, more: tuple[str, ...] = ()) -> Any:
    """A handler that gets the form's values, the chosen keyframe's, and `more`."""
    handler: Any = form.handler(function)
    own = inspect.signature(handler).parameters.values()
    others = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in (*keyframes.inputs(), *more)
    ]
    handler.__signature__ = inspect.Signature([*own, *others])
    return handler
