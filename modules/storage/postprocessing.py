"""The "parameters" text of a picture that was enlarged: that of its source, and how it was enlarged.

The keys are those that AUTOMATIC1111's program adds. The size, the seed and all the rest stay the source's, so that the
text goes on saying how it was painted.
"""

from modules import __version__
from modules.schema.events import Painted
from modules.schema.requests import Upscale
from modules.storage.infotext import Infotext, read_infotext
from modules.storage.keys import ROWS, pairs_of

OURS = frozenset(row.key for row in ROWS if any(path.startswith(("enlarging.", "faces.")) for path in row.paths))
"""The keys that say how a picture was enlarged."""

FACTOR, SIZE = "Postprocess upscale by", "Postprocess upscale to"
"""One of them is written."""


def write_upscaled(request: Upscale, painted: Painted, source: str) -> str:
    """The text of one picture of a job, whose source carries that text ("" for none)."""
    added = pairs_of(request.alone(painted.index), {})
    if SIZE in added:
        added.pop(FACTOR, None)
    if not source.strip():
        size = f"{painted.picture.width}x{painted.picture.height}"
        return Infotext(pairs={**added, "Size": size, "Version": f"Kararli {__version__}"}).text()
    before = read_infotext(source)
    kept = {key: value for key, value in before.pairs.items() if key not in OURS}
    added.pop("Task")
    return Infotext(before.prompt, before.negative_prompt, {**kept, **added, **_named(before)}).text()


def _named(before: Infotext) -> dict[str, str]:
    """A text without pairs of its own says which program added some."""
    return {} if before.pairs else {"Version": f"Kararli {__version__}"}
