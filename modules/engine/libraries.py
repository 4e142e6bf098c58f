"""Settles how the large libraries behave, before any of them is imported. Called first thing in a worker."""

import logging
import os


def settle_libraries() -> None:
    """No network ever, and no advice on the console about parts that are not used here."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    os.environ["DIFFUSERS_VERBOSITY"] = "error"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    logging.getLogger("xformers").setLevel(logging.CRITICAL)  # complains at import wherever its kernels do not fit
