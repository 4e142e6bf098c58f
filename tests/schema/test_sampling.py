import pytest

from modules.schema.sampling import Sampler, Schedule, choose


def _stay(latents: object, _step: object) -> object:
    return latents


EULER = Sampler("Euler", begin=lambda: _stay, aliases=("k_euler",))
LATER = Sampler("Later", begin=lambda: _stay, aliases=("euler", "Euler late"))
KARRAS = Schedule("karras", "Karras", lambda steps, _levels: [0.0] * steps)
SMOOTH = Schedule("smooth", "Align your steps", lambda steps, _levels: [0.0] * steps, aliases=("ays",))


@pytest.mark.parametrize("name", ["Euler", "euler", "EULER", "K_EULER"])
def test_a_sampler_is_chosen_by_name_or_alias_whatever_the_case(name: str) -> None:
    assert choose([EULER, LATER], name) is EULER


@pytest.mark.parametrize("name", ["smooth", "Align Your Steps", "AYS"])
def test_a_schedule_is_chosen_by_name_label_or_alias(name: str) -> None:
    assert choose([KARRAS, SMOOTH], name) is SMOOTH


def test_the_first_of_two_that_answer_to_a_name_is_chosen() -> None:
    assert choose([EULER, LATER], "euler") is EULER
    assert choose([LATER, EULER], "euler") is LATER


@pytest.mark.parametrize("name", ["", "Eule", " Euler", "Euler a"])
def test_there_is_no_choosing_what_is_not_there(name: str) -> None:
    with pytest.raises(KeyError):
        choose([EULER, LATER], name)
