import pickle

import pytest

from modules.schema.errors import InvalidRequest, KararliError, NotEnoughMemory, UnusableFile, WorkerDied


@pytest.mark.parametrize("kind", [InvalidRequest, NotEnoughMemory, UnusableFile, WorkerDied])
def test_every_error_is_a_sentence_for_the_user_and_goes_through_a_pipe(kind: type[KararliError]) -> None:
    error = pickle.loads(pickle.dumps(kind("Lower the size.")))
    assert isinstance(error, KararliError)
    assert type(error) is kind
    assert str(error) == "Lower the size."


def test_a_refused_request_keeps_its_field_on_its_way_through_a_pipe() -> None:
    error = pickle.loads(pickle.dumps(InvalidRequest("Too many steps.", "sampling.steps")))
    assert (str(error), error.field) == ("Too many steps.", "sampling.steps")
