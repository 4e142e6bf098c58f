"""Divergence: how far apart words are for a text encoder."""

from torch import Tensor

from modules.engine.progress import JobProgress
from modules.engine.text.words import NOUNS, Tell, distances, is_known, mean_distance, scores_of_chance
from modules.engine.workbench import Workbench
from modules.schema.divergence import COUNTED, Divergence, Scores, valid_words
from modules.schema.errors import InvalidRequest
from modules.schema.events import Answered, Job, Progress, Report
from modules.schema.results import Environment, Result


def divergence(job: Job, bench: Workbench, report: Report) -> Result:
    """Embed the words and everyday nouns alike, and measure both by the same distances."""
    request = job.request
    assert isinstance(request, Divergence)
    progress = JobProgress(report, 1, 0)
    progress.stage("Loading the text encoder", 0)

    def tell(done: int, of: int) -> None:
        report(Progress("Reading the words", done / of, 0, 1, done, of))

    given, _ = valid_words(request.words, most=len(request.words))
    vectors, environment, measure = _vectors((*given, *NOUNS), request, bench, tell)
    known = is_known(vectors)
    places = {word: place for place, word in enumerate(given) if known[place]}
    words, left_out = valid_words(request.words, known=places)
    if len(words) < COUNTED:
        raise InvalidRequest(
            f"The text encoder of {measure} knows {len(words)} of the words; {COUNTED} are needed. Choose another"
            " checkpoint, or put a CLIP model into models/CLIP/ and choose that.",
            "words",
        )
    apart = distances(vectors[[places[word] for word in words]])
    everyday = vectors[len(given) :][known[len(given) :]]
    answer = Scores(
        words=words,
        distances=tuple(tuple(round(value, 3) for value in row) for row in apart.tolist()),
        score=round(mean_distance(apart), 3),
        random_scores=tuple(round(score, 3) for score in scores_of_chance(distances(everyday), COUNTED)),
        measure=measure,
        left_out=left_out,
    )
    report(Answered(0, answer, environment))
    return Result(request=request, environment=environment, timings=progress.timings())


def _vectors(
    words: tuple[str, ...], request: Divergence, bench: Workbench, tell: Tell
) -> tuple[Tensor, Environment, str]:
    """Where the words are, what that depends on, and whose text encoder it was."""
    if request.clip:
        clip = bench.models.describers.clip(request.clip)
        used = (bench.models.describers.record(clip.entry),)
        return clip.vectors(words, tell), Environment(runtime=bench.runtime, further_files=used), clip.entry.name
    model, record = bench.models.load(request.checkpoint), bench.models.record(request.checkpoint)
    return model.word_vectors(words, tell), Environment(runtime=bench.runtime, checkpoint=record), record.name
