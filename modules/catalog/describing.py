"""Looks at a request for words when it is submitted: are its model and its files there."""

from modules.catalog.checkpoints import Catalog
from modules.catalog.settling import ReadInput
from modules.schema.captioning import Caption, Interrogate
from modules.schema.divergence import COUNTED, Divergence, valid_words
from modules.schema.errors import InvalidRequest, UnusableFile
from modules.schema.media import read_image


def settle_caption(request: Caption, catalog: Catalog) -> Caption:
    """The request with its model's own name and number of frames.

    Raises InvalidRequest when there is no video, UnusableFile with a sentence when there is no such model.
    """
    if not request.videos:
        raise InvalidRequest("There is no video yet. Give one.", "videos")
    model = catalog.video_models.find(request.model, "labels", "sentences", asked="video model")
    return request.model_copy(update={"model": model.name, "frames": request.frames or model.frames})


def settle_interrogate(request: Interrogate, catalog: Catalog, read: ReadInput) -> Interrogate:
    """The request as it is, once its picture and its models are there.

    Raises InvalidRequest or UnusableFile with a sentence.
    """
    if not request.picture:
        raise InvalidRequest("There is no picture to describe. Give one.", "picture")
    read_image(read(request.picture))
    model = catalog.picture_models.find(request.model, "clip", "blip", asked="picture model")
    if model.kind == "clip" and not catalog.word_lists():
        raise UnusableFile(
            f"There are no words to choose from. Put lists, .txt files with a word a line, into {catalog.words_folder}."
        )
    return request.model_copy(update={"model": model.name if request.model else ""})


def settle_divergence(request: Divergence, catalog: Catalog) -> Divergence:
    """The request with its checkpoint's own name. Raises InvalidRequest or UnusableFile with a sentence."""
    valid, _ = valid_words(request.words)
    if len(valid) < COUNTED:
        raise InvalidRequest(
            f"{len(valid)} of the words count; {COUNTED} are needed. Give single words, each once.", "words"
        )
    if request.clip:
        clip = catalog.picture_models.find(request.clip, "clip", asked="CLIP model")
        return request.model_copy(update={"clip": clip.name, "checkpoint": ""})
    checkpoint = catalog.find(request.checkpoint)
    checkpoint.usable()
    return request.model_copy(update={"checkpoint": checkpoint.name})
