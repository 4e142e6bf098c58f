"""The walk from noise to latents: noise levels, samplers, seeded noise, and the one loop."""
