"""Distances between words, and lists drawn for scale."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from modules.engine.text.words import NOUNS, distances, is_known, mean_distance, scores_of_chance
from modules.schema.divergence import valid_words


def test_distances_are_those_of_the_definition() -> None:
    vectors = normalize(torch.tensor([[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0], [1.0, 1.0]]), dim=-1)
    apart = distances(vectors)
    assert apart[0].tolist() == pytest.approx([0, 100, 200, 100 * (1 - 2**-0.5)], abs=1e-4)
    assert mean_distance(apart[:3, :3]) == pytest.approx(400 / 3, abs=1e-4)


def test_lists_drawn_for_scale_lie_around_the_mean_of_all_pairs_and_are_the_same_each_time() -> None:
    chance = torch.Generator().manual_seed(0)
    apart = distances(normalize(torch.randn(60, 8, generator=chance), dim=-1))
    scores = scores_of_chance(apart, 7)
    assert len(scores) == 1000
    assert scores == scores_of_chance(apart, 7)
    assert np.mean(scores) == pytest.approx(mean_distance(apart), abs=1)
    assert np.std(scores) > 1
    assert scores_of_chance(apart[:20, :20], 7) == []


def test_a_word_of_zeros_is_not_known() -> None:
    assert is_known(torch.tensor([[0.0, 0.0], [0.0, 0.1]])) == [False, True]


def test_everyday_nouns_are_valid_words_and_each_is_there_once() -> None:
    assert valid_words(NOUNS, most=len(NOUNS)) == (NOUNS, ())


def test_words_with_hyphens_and_other_letters_count() -> None:
    assert valid_words(["mother-in-law", "Şeftali", "cat2", "", "o'clock"]) == (
        ("mother-in-law", "Şeftali", "o'clock"),
        ("cat2: not a single word",),
    )
