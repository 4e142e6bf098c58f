"""DPM-Solver: exponential integrators that predict the noise (https://arxiv.org/abs/2206.00927).

The paper works in lambda = -log(sigma), over which the noise falls exponentially; a step's size is a difference of it.
Both samplers space their steps themselves, from the noisiest to the cleanest level of training, and end there.
"""

import math
from collections.abc import Callable

from modules.engine.sampling.euler import split_ancestral
from modules.engine.sampling.schedules import spread
from modules.schema.sampling import Latents, Levels, Step

RELATIVE, ABSOLUTE = 0.05, 0.0078
"""What an adaptive step may be wrong by; the paper's for pictures of 8 bits."""

FIRST_SIZE = 0.05
ACCEPTED = 0.81
"""The least factor, by which the next step may grow, at which a step counts."""

CLOSE = 1e-5
"""A walk that has come so close to its end has ended."""


def dpm_fast(latents: Latents, step: Step) -> Latents:
    """DPM-Solver-fast (https://arxiv.org/abs/2206.00927): steps of order 3 and, at the end, below.

    The number of steps that was asked for is that of model calls.
    """
    orders = fast_orders(step.steps)
    down, up = _ancestral(step, step.sigma_next)
    latents = _solve(latents, step, down, orders[step.index])[-1]
    return latents + step.noise() * (up * step.dials.noise_scale)


def fast_orders(calls: int) -> list[int]:
    """The order of each step, which sum to the number of model calls."""
    threes, rest = divmod(calls, 3)
    return [3] * (threes - 1) + [2, 1] if rest == 0 else [3] * threes + [rest]


def fast_levels(steps: int, levels: Levels) -> list[float]:
    """Even in the logarithm of sigma, a level more than there are steps of DPM-Solver-fast."""
    return _even_in_log(levels, len(fast_orders(steps)) + 1)


def adaptive_levels(_steps: int, levels: Levels) -> list[float]:
    """From the noisiest to the cleanest level of training; what is between, DPM-Solver-12/23 finds on its way."""
    return _even_in_log(levels, 2)


def dpm_adaptive() -> Callable[[Latents, Step], Latents]:
    """DPM-Solver-23 with adaptive step sizes: https://arxiv.org/abs/2206.00927.

    A step is taken with order 2 and with order 3; from how far they differ follows whether it counts, and how large the
    next one is. Returns a step function with the memory of one walk.
    """
    size = FIRST_SIZE
    before: Latents = None

    def take(latents: Latents, step: Step) -> Latents:
        nonlocal size, before
        target = max(step.sigma_next, step.sigma * math.exp(-size))
        down, up = _ancestral(step, target)
        lower, higher = _solve(latents, step, down, order=3, below=True)
        error = _error(lower, higher, latents if before is None else before)
        factor = 1 + math.atan((error + 1e-8) ** (-1 / (1.5 if step.dials.eta else 3)) - 1)
        if math.isnan(error):  # the model's numbers overflowed; the loop says so
            return higher
        size *= factor
        if factor < ACCEPTED:
            step.end_at(step.sigma)
            return latents
        before = lower
        if math.log(target / step.sigma_next) > CLOSE:
            step.end_at(target)
        return higher + step.noise() * (up * step.dials.noise_scale)

    return take


def _error(lower: Latents, higher: Latents, before: Latents) -> float:
    """The root mean square of the difference, in units of what is allowed."""
    one, other = RELATIVE * abs(lower), RELATIVE * abs(before)
    larger = (one + other + abs(one - other)) / 2
    allowed = (larger + ABSOLUTE + abs(larger - ABSOLUTE)) / 2
    return math.sqrt(float((((lower - higher) / allowed) ** 2).mean()))


def _ancestral(step: Step, sigma_to: float) -> tuple[float, float]:
    """(level to step down to, noise to add), never below the cleanest level of training."""
    if not step.dials.eta:
        return sigma_to, 0.0
    down, _ = split_ancestral(step.sigma, sigma_to, step.dials.eta)
    down = max(down, min(sigma_to, step.levels.sigmas[0]))
    return down, math.sqrt(max(sigma_to**2 - down**2, 0.0))


def _solve(latents: Latents, step: Step, sigma_to: float, order: int, below: bool = False) -> list[Latents]:
    """One step of an order up to 3, DPM-Solver-1, -2 and -3, each with the middle points of its own.

    With `below` also the result of order 2 from the same model calls, first.
    """
    size = math.log(step.sigma / sigma_to)
    noise = (latents - step.denoise(latents)) / step.sigma

    def moved(share: float, *bends: tuple[float, Latents]) -> Latents:
        level = step.sigma * math.exp(-share * size)
        result = latents - level * math.expm1(share * size) * noise
        for weight, change in bends:
            result = result - level * weight * change
        return result

    def change_at(share: float, there: Latents) -> Latents:
        level = step.sigma * math.exp(-share * size)
        return (there - step.denoise(there, level)) / level - noise

    if order == 1:
        return [moved(1)]
    first = 1 / 2 if order == 2 else 1 / 3
    change = change_at(first, moved(first))
    second = [moved(1, (math.expm1(size) / (2 * first), change))]
    if order == 2:
        return second
    share = 2 / 3
    bend = share / first * (math.expm1(share * size) / (share * size) - 1)
    further = change_at(share, moved(share, (bend, change)))
    third = moved(1, ((math.expm1(size) / size - 1) / share, further))
    return [*second, third] if below else [third]


def _even_in_log(levels: Levels, count: int) -> list[float]:
    return [math.exp(log) for log in spread(math.log(levels.sigmas[-1]), math.log(levels.sigmas[0]), count)]
