"""Several pictures at once: files, or a folder below --input-root."""

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from modules.schema.errors import InvalidRequest, KararliError
from modules.storage.folders import stem_of
from modules.ui.page import Page

SHOWN = 12
"""Pictures that are shown of those that were given."""


def several_pictures(page: Page, name: str) -> tuple[gr.File, gr.Textbox]:
    """Where one picture or several are given as files, so that their parameters stay, or as a folder."""
    say = page.translate
    pictures = gr.File(
        label=say("Pictures: one or several"), type="filepath", file_count="multiple", height=130,
        elem_id=f"{name}-pictures",
    )  # fmt: skip
    seen = gr.Gallery(
        label=say("Pictures"), visible=False, columns=4, height=190, object_fit="contain", interactive=False,
        elem_id=f"{name}-given", buttons=[],
    )  # fmt: skip
    pictures.change(
        lambda files: gr.update(value=(files or [])[:SHOWN], visible=bool(files)), [pictures], [seen],
        api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    with gr.Accordion(say("A folder of pictures"), open=False):
        folder = gr.Textbox(
            label=say("Folder"), info=say("Below the folder that was set up with --input-root."), max_lines=1,
            elem_id=f"{name}-folder",
        )  # fmt: skip
    return pictures, folder


def given_pictures(page: Page, files: Sequence[str] | None, folder: str) -> tuple[list[str], list[str]]:
    """Digests and names of files, or of what lies in a folder where one is named.

    A file that was given by itself has to be a picture; what is none in a folder is told and left out. Raises
    InvalidRequest.
    """
    paths = page.jobs.folder(folder) if folder.strip() else [Path(file) for file in files or ()]
    digests: list[str] = []
    names: list[str] = []
    left_out: list[str] = []
    for path in paths:
        try:
            digests.append(page.jobs.keep_picture(path.read_bytes()))
            names.append(stem_of(path.name))
        except KararliError as error:
            if not folder.strip():
                raise InvalidRequest(f"{path.name}: {error}", "pictures") from None
            left_out.append(f"{path.name}: {error}")
    if left_out and not digests:
        raise InvalidRequest(f"There are no pictures in {folder}: {left_out[0]}", "pictures")
    if left_out:
        gr.Warning("\n".join([page.translate("Left out:"), *left_out]))
    return digests, names
