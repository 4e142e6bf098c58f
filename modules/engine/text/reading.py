"""Prompts to what guides the walk: parsed, evaluated over the walk, cut into chunks, encoded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modules.engine.sampling.guidance import Conditioning, Strand
from modules.engine.text.clip import ClipEncoder
from modules.engine.text.inversion import Inversions
from modules.prompts import evaluating
from modules.prompts.chunks import Chunk, chunk
from modules.prompts.evaluating import Timeline, evaluate
from modules.prompts.parsing import parse
from modules.schema.requests import Painting, Reading
from modules.schema.results import UsedFile

if TYPE_CHECKING:
    from modules.engine.families.sd1 import StableDiffusion1
    from modules.engine.loading import Models


def read_prompts(
    words: tuple[str, str], reading: Reading, timeline: Timeline, encoder: ClipEncoder, inversions: Inversions
) -> Conditioning:
    """What guides a walk: `words` are the prompt and the negative prompt."""
    used: set[str] = set()

    def encoded(strand: evaluating.Strand) -> Strand:
        lines = [chunk(stage.line, inversions.names) for stage in strand.stages]
        used.update(_names(lines))
        embeddings = encoder.encode(lines, reading, inversions.vectors)
        ends = [stage.until for stage in strand.stages]
        return Strand(strand.weight, tuple(zip(ends, embeddings.split(1), strict=True)))

    literal = reading.emphasis == "None"
    towards = evaluate(parse(words[0]), timeline, literal)
    away = evaluate(parse(words[1], negative=True), timeline, literal)
    positive = tuple(encoded(strand) for strand in towards.strands)
    return Conditioning(positive, encoded(away.strands[0]), tuple(sorted(used)))


def _names(lines: Sequence[Sequence[Chunk]]) -> set[str]:
    return {insert.name for line in lines for one in line for insert in one.inserts}


class TextReader:
    """Reads the words of a job's pictures for a model. Words that were read are remembered: mostly all are the same."""

    def __init__(self, model: "StableDiffusion1", models: "Models", request: Painting, timeline: Timeline) -> None:
        self._model, self._models, self._request, self._timeline = model, models, request, timeline
        self._known: tuple[tuple[str, str], Conditioning] | None = None

    def of(self, index: int) -> Conditioning:
        """What guides the walk of picture `index`."""
        words = self._request.words_of(index)
        if self._known is None or self._known[0] != words:
            embeddings = self._models.embeddings()
            self._known = words, self._model.embed(words, self._request.reading, self._timeline, embeddings)
        return self._known[1]

    def embeddings(self, index: int) -> tuple[UsedFile, ...]:
        """The files of models/embeddings/ that picture `index` owes something to."""
        return self._models.embedding_records(self.of(index).inversions)
