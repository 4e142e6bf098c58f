"""Where single words are for a CLIP text encoder, and how far they are from each other."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize
from transformers import CLIPTextModel

from modules.prompts.tokens import END, START, tokenize

DRAWS = 1000
"""How many lists of everyday nouns are drawn for scale."""

LEAST_DRAWN = 3
"""How many times more words there have to be than are drawn."""

NOUNS = (
    "airport", "anchor", "apple", "army", "autumn", "bakery", "ball", "bank", "basket", "beach", "bear", "bed", "bell",
    "bicycle", "bird", "blanket", "boat", "bone", "book", "bottle", "bread", "bridge", "brother", "bucket", "butter",
    "button", "cabin", "camera", "candle", "captain", "carpet", "castle", "cat", "chair", "cheese", "chicken", "child",
    "church", "city", "clock", "cloud", "coat", "coffee", "coin", "comb", "corn", "cow", "cup", "curtain", "dance",
    "desert", "desk", "diamond", "doctor", "dog", "door", "dream", "dress", "drum", "dust", "eagle", "earth", "egg",
    "engine", "envelope", "factory", "family", "farmer", "feather", "fence", "field", "finger", "fire", "fish", "flag",
    "floor", "flower", "forest", "fork", "fox", "friend", "frog", "fruit", "game", "garden", "gate", "glass", "glove",
    "gold", "grandmother", "grass", "guitar", "hammer", "hand", "harbour", "hat", "heart", "hill", "honey", "horse",
    "hospital", "hotel", "hunger", "ice", "island", "jacket", "judge", "kitchen", "kite", "knife", "ladder", "lake",
    "lamp", "language", "law", "leaf", "lemon", "letter", "library", "lion", "lock", "machine", "map", "market",
    "medicine", "memory", "milk", "mirror", "money", "monkey", "moon", "mountain", "mouse", "music", "nail", "needle",
    "newspaper", "night", "nurse", "ocean", "office", "onion", "orange", "oven", "paper", "parade", "pencil", "piano",
    "picture", "pillow", "pilot", "pipe", "planet", "plate", "pocket", "poem", "pond", "potato", "prison", "pumpkin",
    "queen", "rabbit", "radio", "rain", "ribbon", "rice", "ring", "river", "road", "roof", "rope", "rose", "sailor",
    "salt", "sand", "school", "scissors", "shadow", "sheep", "shirt", "shoe", "silence", "silver", "sister", "snake",
    "snow", "soap", "soldier", "song", "soup", "spider", "spoon", "star", "statue", "stone", "storm", "street", "sugar",
    "suitcase", "summer", "sun", "sword", "table", "tail", "teacher", "tent", "theatre", "thread", "ticket", "tiger",
    "time", "tooth", "tower", "toy", "train", "tree", "truth", "umbrella", "uncle", "valley", "vase", "village",
    "violin", "voice", "wall", "watch", "water", "wheel", "whistle", "wind", "window", "winter", "wolf", "wood", "wool",
    "zebra",
)  # fmt: skip
"""Everyday nouns, from which lists are drawn for scale."""

Tell = Callable[[int, int], None]


def word_vectors(model: CLIPTextModel, words: Sequence[str], tell: Tell) -> Tensor:
    """Each word's embedding at the end token, which has read it whole: [words, width] of length 1.

    A word of whose tokens the encoder has learned none is all zeros. One word goes through at a time, so that its
    digits do not depend on the others.
    """
    rows: list[Tensor] = []
    for word in words:
        tokens = torch.tensor([[START, *tokenize(word)[:75], END]], device=model.device)
        hidden = model(input_ids=tokens).last_hidden_state[0, -1].float().cpu()
        learned = bool(model.embeddings.token_embedding(tokens[:, 1:-1]).any())
        rows.append(hidden if learned else torch.zeros_like(hidden))
        tell(len(rows), len(words))
    return normalize(torch.stack(rows), dim=-1)


def is_known(vectors: Tensor) -> list[bool]:
    """Which of the words the encoder knows."""
    return vectors.any(-1).tolist()


def distances(vectors: Tensor) -> Tensor:
    """Cosine distance times 100 of each from each, for vectors of length 1."""
    return (100 * (1 - vectors.double() @ vectors.double().T)).clamp(min=0).fill_diagonal_(0)


def mean_distance(apart: Tensor) -> float:
    """The mean over all pairs."""
    count = len(apart)
    return float(apart.sum() / (count * (count - 1)))


def scores_of_chance(apart: Tensor, size: int) -> list[float]:
    """The scores of lists of so many words drawn from those between which the distances are; the same each time.

    None where there are too few words to draw from.
    """
    if len(apart) < LEAST_DRAWN * size:
        return []
    chance = np.random.Generator(np.random.PCG64(0))
    drawn = [chance.choice(len(apart), size, replace=False) for _ in range(DRAWS)]
    return [mean_distance(apart[places][:, places]) for places in map(torch.from_numpy, drawn)]
