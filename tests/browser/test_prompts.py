"""Prompt boxes on the real page: the counter below them, the hints, and wildcards."""

import re

from playwright.sync_api import Page, expect

from tests.browser.acting import choose, fill_number, generate, pictures, wait_for_end
from tests.browser.conftest import Program
from tests.looking import look


def test_tokens_are_counted_while_one_types(page: Page) -> None:
    below = page.locator("#prompt-tokens .tokens")
    expect(below).to_have_text("0/75")
    page.locator("#prompt textarea").press_sequentially("a (red:1.2) circle")
    expect(below).to_have_text("3/75")
    page.locator("#prompt textarea").fill("red, " * 50)
    expect(below).to_have_text(re.compile(r"^\d\d/75 · \d\d/75$"))
    page.locator("#negative_prompt textarea").fill("blurry")
    expect(page.locator("#negative_prompt-tokens .tokens")).to_have_text("1/75")


def test_an_odd_bracket_is_marked_with_its_neighbours(page: Page) -> None:
    page.locator("#prompt textarea").fill("a (red circle")
    hint = page.locator("#prompt-tokens p")
    expect(hint).to_contain_text("no other half")
    expect(hint.locator("mark")).to_have_text("(")
    expect(hint.locator("code")).to_have_text("a (red circle")
    page.locator("#prompt textarea").fill("a (red) circle")
    expect(hint).to_have_count(0)


def test_a_prompt_is_shown_as_text_below_its_box_and_never_as_markup(page: Page) -> None:
    page.locator("#prompt textarea").fill('(<img src=x onerror="document.title=1"> __<b>__ <lora:<i>x:1>')
    expect(page.locator("#prompt-tokens p").first).to_be_visible()
    assert page.locator("#prompt-tokens img, #prompt-tokens b, #prompt-tokens i").count() == 0


def test_wildcards_paint_what_the_parameters_say_and_the_form_keeps_the_template(page: Page, program: Program) -> None:
    folder = program.data_dir / "models" / "wildcards"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "colours.txt").write_text("red\nblue\ngreen\nyellow\n")
    template = "a __colours__ circle on a white background"
    generate(page, template, seed=5, batch_size=2)
    wait_for_end(page)
    words = page.locator("#parameters textarea").input_value()
    assert f"Template: {template}" in words
    assert look(pictures(page, 2)[1]).colour == words.split()[1]
    expect(page.locator("#prompt textarea")).to_have_value(template)


def test_a_network_and_a_list_that_is_not_there_are_refused_by_name(page: Page) -> None:
    generate(page, "a circle <lora:film:0.8>")
    expect(page.locator("#stage .problem")).to_contain_text("<lora:film:0.8>")
    generate(page, "a __nowhere__ circle")
    expect(page.locator("#stage .problem")).to_contain_text("'nowhere'")


def test_emphasis_and_clip_skip_have_controls_and_stand_in_the_parameters(page: Page) -> None:
    page.get_by_text("How the prompts are read").click()
    choose(page, "reading-emphasis", "No norm")
    fill_number(page, "reading-clip_skip", 2)
    generate(page, "a (red:1.2) circle", seed=1, sampling_steps=2)
    wait_for_end(page)
    words = page.locator("#parameters textarea").input_value()
    assert "Clip skip: 2" in words
    assert "Emphasis: No norm" in words
