"""DPM-Solver++: exponential integrators that predict the clean latents (https://arxiv.org/abs/2211.01095).

The paper works in lambda = -log(sigma), over which the noise falls exponentially; a step's size is a difference of it.
"""

import math
from collections.abc import Callable

from modules.engine.sampling.euler import split_ancestral
from modules.schema.sampling import Latents, Past, Step


def dpmpp_2m(latents: Latents, step: Step) -> Latents:
    """DPM-Solver++(2M), algorithm 2 of https://arxiv.org/abs/2211.01095, in sigma's terms."""
    denoised = step.denoise(latents)
    if step.sigma_next == 0:
        return denoised
    size = math.log(step.sigma / step.sigma_next)
    target = denoised
    if step.past:
        ratio = math.log(step.past[-1].sigma / step.sigma) / size
        target = (1 + 1 / (2 * ratio)) * denoised - 1 / (2 * ratio) * step.past[-1].denoised
    return step.sigma_next / step.sigma * latents - math.expm1(-size) * target


def dpmpp_2s_ancestral(latents: Latents, step: Step) -> Latents:
    """DPM-Solver++(2S), algorithm 1 of https://arxiv.org/abs/2211.01095, to a level below the next one; then noise."""
    denoised = step.denoise(latents)
    if step.sigma_next == 0:
        return denoised
    down, up = split_ancestral(step.sigma, step.sigma_next, step.dials.eta)
    middle = math.sqrt(step.sigma * down)
    halfway = _towards(latents, denoised, step.sigma, middle)
    latents = _towards(latents, step.denoise(halfway, middle), step.sigma, down)
    return latents + step.noise() * (up * step.dials.noise_scale)


def dpmpp_sde(latents: Latents, step: Step) -> Latents:
    """DPM-Solver++ (SDE) with a midpoint: https://arxiv.org/abs/2211.01095, the noise from a Brownian motion."""
    denoised = step.denoise(latents)
    if step.sigma_next == 0:
        return denoised
    middle = math.sqrt(step.sigma * step.sigma_next)
    halfway = _ancestral_towards(latents, denoised, step, middle)
    denoised_halfway = step.denoise(halfway, middle)
    return _ancestral_towards(latents, denoised_halfway, step, step.sigma_next)


def dpmpp_2m_sde(heun: bool = False) -> Callable[[Latents, Step], Latents]:
    """SDE-DPM-Solver++(2M): https://arxiv.org/abs/2211.01095, section 5, the noise from a Brownian motion.

    The change of the clean latents over the step is taken at its middle, or as Heun's method takes it.
    """

    def take(latents: Latents, step: Step) -> Latents:
        denoised = step.denoise(latents)
        if step.sigma_next == 0:
            return denoised
        size = math.log(step.sigma / step.sigma_next)
        whole = size * (1 + step.dials.eta)
        result = math.exp(-whole) * latents - math.expm1(-whole) * denoised
        if step.past:
            change = _slope(denoised, step.sigma, step.past[-1]) * size
            result = result + change * (1 + math.expm1(-whole) / whole if heun else -math.expm1(-whole) / 2)
        return _with_brownian(result, step, size)

    return take


def dpmpp_3m_sde(latents: Latents, step: Step) -> Latents:
    """SDE-DPM-Solver++ with three steps' predictions: https://arxiv.org/abs/2211.01095 carried on to order 3 as
    the same paper's 3M; the noise from a Brownian motion."""
    denoised = step.denoise(latents)
    if step.sigma_next == 0:
        return denoised
    size = math.log(step.sigma / step.sigma_next)
    whole = size * (1 + step.dials.eta)
    result = math.exp(-whole) * latents - math.expm1(-whole) * denoised
    second = math.expm1(-whole) / whole + 1
    if step.past:
        slope = _slope(denoised, step.sigma, step.past[-1]) * size
        if len(step.past) > 1:
            last, before = step.past[-1], step.past[-2]
            near = math.log(last.sigma / step.sigma) / size
            far = math.log(before.sigma / last.sigma) / size
            bend = (slope - _slope(last.denoised, last.sigma, before) * size) / (near + far)
            slope = slope + bend * near
            result = result - bend * (second / whole - 0.5)
        result = result + slope * second
    return _with_brownian(result, step, size)


def _slope(denoised: Latents, sigma: float, past: Past) -> Latents:
    """How the clean latents change with lambda since an earlier step."""
    return (denoised - past.denoised) / math.log(past.sigma / sigma)


def _towards(latents: Latents, denoised: Latents, sigma: float, sigma_to: float) -> Latents:
    """The exact solution from sigma to sigma_to if the clean latents stayed as they are."""
    return sigma_to / sigma * latents - math.expm1(math.log(sigma_to / sigma)) * denoised


def _ancestral_towards(latents: Latents, denoised: Latents, step: Step, sigma_to: float) -> Latents:
    down, up = split_ancestral(step.sigma, sigma_to, step.dials.eta)
    latents = _towards(latents, denoised, step.sigma, down)
    return latents + step.brownian(step.sigma, sigma_to) * (up * step.dials.noise_scale) if up else latents


def _with_brownian(latents: Latents, step: Step, size: float) -> Latents:
    """With the noise of an SDE over a step of `size`."""
    if not step.dials.eta:
        return latents
    scale = step.sigma_next * math.sqrt(-math.expm1(-2 * step.dials.eta * size)) * step.dials.noise_scale
    return latents + step.brownian(step.sigma, step.sigma_next) * scale
