"""The samplers by their names: how one step is taken from a noise level to the next, and what suits it.

Names, aliases and schedules are those that AUTOMATIC1111's program writes into pictures, as far as it has the sampler.
"""

from modules.engine.sampling.adams import deis, lms, plms
from modules.engine.sampling.ddim import ddim, ddim_cfgpp, ddim_timesteps
from modules.engine.sampling.distilled import lcm, lcm_levels, tcd, tcd_timesteps
from modules.engine.sampling.dpm_solver import adaptive_levels, dpm_adaptive, dpm_fast, fast_levels
from modules.engine.sampling.dpm_solver_pp import dpmpp_2m, dpmpp_2m_sde, dpmpp_2s_ancestral, dpmpp_3m_sde, dpmpp_sde
from modules.engine.sampling.er_sde import er_sde
from modules.engine.sampling.euler import dpm2, dpm2_ancestral, euler, euler_ancestral, heun, restart_levels
from modules.engine.sampling.unipc import unipc, unipc_timesteps
from modules.schema.sampling import Sampler

CHURN = ("churn", "churn_from", "churn_to", "noise_scale")
FRESH = ("eta", "noise_scale")

SAMPLERS = (
    Sampler("DPM++ 2M", lambda: dpmpp_2m, automatic="Karras", aliases=("k_dpmpp_2m",)),
    Sampler("DPM++ SDE", lambda: dpmpp_sde, automatic="Karras", aliases=("k_dpmpp_sde",), dials=FRESH, model_calls=2),
    Sampler("DPM++ 2M SDE", dpmpp_2m_sde, automatic="Exponential", aliases=("k_dpmpp_2m_sde",), dials=FRESH),
    Sampler(
        "DPM++ 2M SDE Heun",
        lambda: dpmpp_2m_sde(heun=True),
        automatic="Exponential",
        aliases=("k_dpmpp_2m_sde_heun",),
        dials=FRESH,
    ),
    Sampler(
        "DPM++ 2S a",
        lambda: dpmpp_2s_ancestral,
        automatic="Karras",
        aliases=("k_dpmpp_2s_a",),
        dials=FRESH,
        model_calls=2,
    ),
    Sampler(
        "DPM++ 3M SDE",
        lambda: dpmpp_3m_sde,
        automatic="Exponential",
        aliases=("k_dpmpp_3m_sde",),
        dials=FRESH,
        drops_level=True,
    ),
    Sampler("Euler a", lambda: euler_ancestral, aliases=("k_euler_a", "k_euler_ancestral"), dials=("eta",)),
    Sampler("Euler", lambda: euler, aliases=("k_euler",), dials=CHURN),
    Sampler("LMS", lms, aliases=("k_lms",)),
    Sampler("Heun", lambda: heun, aliases=("k_heun",), dials=CHURN, model_calls=2),
    Sampler(
        "DPM2", lambda: dpm2, automatic="Karras", aliases=("k_dpm_2",), dials=CHURN, model_calls=2, drops_level=True
    ),
    Sampler(
        "DPM2 a",
        lambda: dpm2_ancestral,
        automatic="Karras",
        aliases=("k_dpm_2_a",),
        dials=FRESH,
        model_calls=2,
        drops_level=True,
    ),
    Sampler(
        "DPM fast",
        lambda: dpm_fast,
        automatic=fast_levels,
        aliases=("k_dpm_fast",),
        dials=FRESH,
        spaces_itself=True,
    ),
    Sampler(
        "DPM adaptive",
        dpm_adaptive,
        automatic=adaptive_levels,
        aliases=("k_dpm_ad",),
        dials=("eta",),
        spaces_itself=True,
        one_by_one=True,
    ),
    Sampler("Restart", lambda: heun, automatic="Karras", aliases=("restart",), model_calls=2, reshape=restart_levels),
    Sampler("DDIM", lambda: ddim, automatic=ddim_timesteps, start="vp", aliases=("ddim",), dials=("eta",), eta=0.0),
    Sampler(
        "DDIM CFG++",
        lambda: ddim_cfgpp,
        automatic=ddim_timesteps,
        start="vp",
        aliases=("ddim_cfgpp",),
        dials=("eta",),
        eta=0.0,
    ),
    Sampler("PLMS", plms, automatic=ddim_timesteps, start="vp", aliases=("plms",)),
    Sampler("UniPC", unipc, automatic=unipc_timesteps, start="vp", aliases=("unipc",)),
    Sampler("LCM", lambda: lcm, aliases=("k_lcm",), levels=lcm_levels),
    Sampler("TCD", lambda: tcd, automatic=tcd_timesteps, start="vp", aliases=("tcd",), dials=("eta",), eta=0.3),
    Sampler("DEIS", deis, automatic="Karras", aliases=("deis",)),
    Sampler("ER SDE", lambda: er_sde, automatic="Karras", aliases=("er_sde",), dials=("noise_scale",)),
)
