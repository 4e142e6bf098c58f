"""Looks at an upscaling request when it is submitted: are its upscalers there, how large do the pictures become."""

import io
from collections.abc import Callable

from PIL import Image

from modules.catalog.checkpoints import Catalog
from modules.catalog.settling import ReadInput, check_result
from modules.schema.errors import InvalidRequest
from modules.schema.media import LARGEST_AREA
from modules.schema.requests import Enlarging, Faces, Size, Upscale

LARGEST_BETWEEN = 4 * LARGEST_AREA
"""Pixels of what a model makes on the way to a smaller result."""

LARGEST_INPUTS = 2 * 2**30
"""Bytes of all pictures of a job."""

NameUpscaler = Callable[[str, str], str]
"""From a name and the field where it stands to the name as it is registered. Raises with a sentence."""


def settle_upscale(request: Upscale, catalog: Catalog, name: NameUpscaler, read: ReadInput) -> Upscale:
    """The request with its upscalers' own names; what is not used is not kept.

    Raises InvalidRequest with a sentence when there is nothing to enlarge or it would become too large, UnusableFile
    for a model that cannot be used.
    """
    if not request.pictures:
        raise InvalidRequest("There is no picture to enlarge. Give one.", "pictures")
    enlarging = request.enlarging
    second = enlarging.second if enlarging.second_share > 0 else ""
    names = {
        "upscaler": name(enlarging.upscaler, "enlarging.upscaler"),
        "second": name(second, "enlarging.second") if second and second.casefold() != "none" else "",
    }
    faces, unused = request.faces, Enlarging()
    catalog.faces.needed(faces)
    if not faces.codeformer:
        faces = faces.model_copy(update={"codeformer_weight": Faces().codeformer_weight})
    others = {
        "second_share": enlarging.second_share if names["second"] else unused.second_share,
        "scale": unused.scale if enlarging.width or enlarging.height else enlarging.scale,
    }
    size_in_all = 0
    for digest in request.pictures:
        data = read(digest)
        size_in_all += len(data)
        if size_in_all > LARGEST_INPUTS:
            raise InvalidRequest(
                f"The pictures have more than {LARGEST_INPUTS // 2**30} GB together. Give fewer at once.", "pictures"
            )
        with Image.open(io.BytesIO(data)) as image:  # it was read whole when it was given
            whole, _ = enlarging.sizes(image.size)
            check_result(whole)
            for one in names.values():
                _check_between(image.size, whole, one, catalog)
    return request.model_copy(update={"enlarging": enlarging.model_copy(update=names | others), "faces": faces})


def _check_between(size: Size, whole: Size, name: str, catalog: Catalog) -> None:
    """What a model makes is larger than the result where its own factor is larger than the one asked for."""
    file = catalog.upscalers.find(name) if name else None
    scale = file.architecture.scale if file is not None and file.architecture is not None else None
    if scale is None or scale == 1:
        return
    between = size[0] * scale, size[1] * scale
    while between[0] < whole[0] or between[1] < whole[1]:
        between = between[0] * scale, between[1] * scale
    if between[0] * between[1] > LARGEST_BETWEEN:
        raise InvalidRequest(
            f"{name} would make {between[0]} x {between[1]} pixels of the picture on the way: too large. Choose an"
            " upscaler with a smaller factor of its own, or make the picture smaller first.",
            "enlarging.upscaler",
        )
