"""Puts the API beside the page."""

from fastapi import FastAPI

from modules.api import jobs as native
from modules.api.sdapi import router
from modules.catalog.checkpoints import Catalog
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins


def attach(app: FastAPI, jobs: Jobs, catalog: Catalog, plugins: Plugins) -> None:
    """Add the endpoints to the app that serves the page."""
    app.include_router(router(jobs, catalog, plugins))
    app.include_router(native.router(jobs))
