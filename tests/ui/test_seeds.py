import gradio as gr
import pytest

from modules.ui.seeds import variation_seed_in

LINE = "Steps: 20, Seed: 3, Size: 64x64, Variation seed: 41, Variation seed strength: 0.3, Version: x"


@pytest.mark.parametrize("before", ["", "a red barn\nNegative prompt: rain\n", "Variation seed: 5\n"])
def test_the_variation_seed_is_read_from_the_line_of_parameters(before: str) -> None:
    assert variation_seed_in(before + LINE) == 41


@pytest.mark.parametrize("infotext", ["", "Steps: 20, Seed: 3", "Variation seed: 5\nSteps: 20, Seed: 3"])
def test_where_there_is_none_the_control_keeps_its_value(infotext: str) -> None:
    assert variation_seed_in(infotext) == gr.skip()
