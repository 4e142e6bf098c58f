"""Puts the API beside the page."""

from functools import partial

from fastapi import FastAPI

from modules.api import jobs as native
from modules.api.captioning import interrogate_router, native_router
from modules.api.sdapi import keep_picture, router
from modules.catalog.checkpoints import Catalog
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins


def attach(app: FastAPI, jobs: Jobs, catalog: Catalog, plugins: Plugins) -> None:
    """Add the endpoints to the app that serves the page."""
    app.include_router(router(jobs, catalog, plugins))
    app.include_router(native.router(jobs))
    app.include_router(interrogate_router(jobs, partial(keep_picture, jobs=jobs)))
    app.include_router(native_router(jobs, catalog))
