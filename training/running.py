"""Runs: training that uses all processors (or a CUDA device), can be cut off at any moment, and keeps its curve.

A run lives in training/runs/<name>/: state.safetensors (weights, their running mean, Adam's moments), progress.json,
curve.csv. Nothing is pickled.
"""

import argparse
import csv
import json
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, distributed, multiprocessing, nn

RUNS = Path(__file__).parent / "runs"
SAVE_EVERY = 180.0
"""Seconds between two saves of a run's state."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained. `batch` counts the examples of all processes together."""

    name: str
    steps: int
    batch: int
    learning_rate: float = 1.2e-3
    warmup: int = 100
    decay: float = 0.25
    """The last share of the steps, in which the learning rate falls to a fiftieth."""
    average: float = 0.9985
    """Decay of the weights' running mean, which is what is exported."""
    weight_decay: float = 0.01
    seed: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        left = (self.steps - step) / (self.steps * self.decay)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup, max(0.02, left))


@dataclass
class Chance:
    """One step's random numbers, different in each process and step, the same in each run; `shared` are one for all
    processes, for what decides how long a step takes."""

    python: random.Random
    torch: torch.Generator
    shared: random.Random

    @staticmethod
    def of(seed: int, step: int, rank: int) -> "Chance":
        """The numbers of that step."""
        number = hash((seed, step, rank)) & 0x7FFFFFFF
        shared = random.Random(hash((seed, step)) & 0x7FFFFFFF)
        return Chance(random.Random(number), torch.Generator().manual_seed(number), shared)


Loss = Callable[[nn.Module, Chance, int, float], Tensor]
"""(model, chance, examples, progress from 0 to 1) -> mean loss."""


class Run:
    """A model on its way, in one of the processes."""

    def __init__(self, recipe: Recipe, model: nn.Module, rank: int = 0, ranks: int = 1) -> None:
        self.recipe, self.rank, self.ranks = recipe, rank, ranks
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device)
        self.trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
        self.mean = {name: value.detach().clone() for name, value in self.trained.items()}
        self._adam = torch.optim.AdamW(
            self.trained.values(), recipe.learning_rate, betas=(0.9, 0.99), weight_decay=recipe.weight_decay, fused=True
        )
        self.step, self.seconds = 0, 0.0
        self._folder = RUNS / recipe.name
        self._losses: list[float] = []
        self._load()

    def walk(self, loss: Loss) -> Iterator[int]:
        """Take the steps that are left; yields after each."""
        share = self.recipe.batch // self.ranks
        parent = os.getppid()
        begun, saved = time.monotonic() - self.seconds, time.monotonic()
        while self.step < self.recipe.steps and os.getppid() == parent:  # a run ends with the command that began it
            chance = Chance.of(self.recipe.seed, self.step, self.rank)
            for group in self._adam.param_groups:
                group["lr"] = self.recipe.rate(self.step)
            value = loss(self.model, chance, share, self.step / self.recipe.steps)
            value.backward()
            self._share_gradients()
            nn.utils.clip_grad_norm_(self.trained.values(), 1.0)
            self._adam.step()
            self._adam.zero_grad()
            self.step += 1
            self._follow()
            self._losses.append(float(value.detach()))
            self.seconds = time.monotonic() - begun
            if self.rank == 0 and (time.monotonic() - saved > SAVE_EVERY or self.step == self.recipe.steps):
                self.save()
                saved = time.monotonic()
            yield self.step

    def save(self) -> None:
        """Keep the state, in place of the last one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"mean.{name}": value for name, value in self.mean.items()}
        for name, value in self.trained.items():
            tensors[f"model.{name}"] = value.detach()
            for moment in ("exp_avg", "exp_avg_sq"):
                tensors[f"{moment}.{name}"] = self._adam.state[value][moment]
        part = self._folder / "state.part"
        save_file({name: value.contiguous().cpu() for name, value in tensors.items()}, part)
        part.replace(self._folder / "state.safetensors")
        progress = {"step": self.step, "seconds": self.seconds, "processes": self.ranks, **asdict(self.recipe)}
        (self._folder / "progress.json").write_text(json.dumps(progress, indent=1))
        with (self._folder / "curve.csv").open("a", newline="") as file:
            loss = sum(self._losses) / max(1, len(self._losses))
            csv.writer(file).writerow([self.step, round(self.seconds), f"{loss:.5f}"])
        self._losses.clear()

    def _load(self) -> None:
        file = self._folder / "state.safetensors"
        if not file.is_file():
            return
        tensors = load_file(file, device=str(self.device))
        progress = json.loads((self._folder / "progress.json").read_text())
        self.step, self.seconds = progress["step"], progress["seconds"]
        with torch.no_grad():
            for name, value in self.trained.items():
                value.copy_(tensors[f"model.{name}"])
                self.mean[name].copy_(tensors[f"mean.{name}"])
                self._adam.state[value] = {
                    "step": torch.tensor(float(self.step), device=self.device),
                    "exp_avg": tensors[f"exp_avg.{name}"],
                    "exp_avg_sq": tensors[f"exp_avg_sq.{name}"],
                }

    def _share_gradients(self) -> None:
        if self.ranks == 1:
            return
        gradients = [value.grad for value in self.trained.values() if value.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.ranks
        for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(self.recipe.average, (self.step + 1) / (self.step + 10))
        torch._foreach_lerp_(list(self.mean.values()), list(self.trained.values()), 1 - decay)


def averaged(run: str) -> dict[str, Tensor]:
    """The running mean of a run's weights, under their names; only those that it trained."""
    state = load_file(RUNS / run / "state.safetensors")
    return {name.removeprefix("mean."): value for name, value in state.items() if name.startswith("mean.")}


def carry_out(recipe: Recipe, make_model: Callable[[], nn.Module], make_lessons: Callable[[], Loss]) -> None:
    """Train to the recipe's last step from wherever its run stands; what is given must be known to other processes.

    One process a processor, each computing with one thread: for models this small that is faster than one with many.
    Where there is a CUDA device, this process alone.
    """
    ranks = 1 if torch.cuda.is_available() else max(1, int(os.environ.get("RANKS", os.cpu_count() or 1)))
    if ranks == 1:
        _train(0, 1, recipe, make_model, make_lessons)
        return
    port = 20_000 + os.getpid() % 20_000
    multiprocessing.spawn(_one_of_many, (ranks, port, recipe, make_model, make_lessons), nprocs=ranks)


def asked_for(recipe: Recipe, description: str | None) -> Recipe:
    """The recipe with the command line's --steps."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=recipe.steps)
    return replace(recipe, steps=parser.parse_args().steps)


def _one_of_many(rank: int, ranks: int, port: int, *run: Any) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=ranks)
    _train(rank, ranks, *run)
    distributed.destroy_process_group()


def _train(
    rank: int, ranks: int, recipe: Recipe, make_model: Callable[[], nn.Module], make_lessons: Callable[[], Loss]
) -> None:
    torch.manual_seed(recipe.seed)
    for _ in Run(recipe, make_model(), rank, ranks).walk(make_lessons()):
        pass
