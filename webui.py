"""The program on one screen: settings, plugins, engine, jobs, page and API. Wires; decides nothing.

python webui.py [serve] [--port 7860 ...]      see modules/cli.py for the other commands
"""

from functools import partial

from modules import cli
from modules.catalog.checkpoints import Catalog
from modules.catalog.resolving import Resolver
from modules.engine import builtin
from modules.engine.libraries import settle_libraries
from modules.jobs.backend import Backend, Engine
from modules.jobs.service import Jobs
from modules.plugins.loading import Plugins
from modules.settings import Settings
from modules.storage.archive import Archive
from modules.storage.lock import lock_outputs


def build_engine(settings: Settings) -> Engine:
    """Called inside the worker: from here on torch is loaded."""
    settle_libraries()
    from modules.engine.engine import Engine

    plugins = Plugins(settings, [builtin])
    return Engine(settings, plugins.tasks(), plugins.samplers(), plugins.schedules(), plugins.upscalers())


def build_backend(settings: Settings) -> Backend:
    """Where the engine runs, as the settings say."""
    build = partial(build_engine, settings)
    if settings.backend == "inline":
        from modules.jobs.inline import InlineBackend

        return InlineBackend(build)
    if settings.backend == "ray":
        from modules.jobs.cluster import RayBackend

        return RayBackend(build)
    from modules.jobs.process import ProcessBackend

    return ProcessBackend(build)


def open_jobs(settings: Settings, owner: str, plugins: Plugins | None = None, catalog: Catalog | None = None) -> Jobs:
    """The jobs service over a data folder, with its engine on the way."""
    plugins = plugins or Plugins(settings, [builtin])
    archive, catalog = Archive(settings, owner), catalog or Catalog(settings)
    resolve = Resolver(catalog, plugins.samplers(), plugins.schedules(), plugins.upscalers(), read=archive.inputs.read)
    jobs = Jobs(build_backend(settings), archive, resolve)
    jobs.start()
    return jobs


def serve(settings: Settings) -> None:
    """The page and the API, until Ctrl-C. The engine starts first: it has the longest way."""
    from modules.ui.server import check_port, run

    check_port(settings)
    lock = lock_outputs(settings)
    plugins, catalog = Plugins(settings, [builtin]), Catalog(settings)
    jobs = open_jobs(settings, "serve", plugins, catalog)
    try:
        jobs.recover()
        from modules.api.app import attach
        from modules.ui import builtin as tabs

        plugins.register(tabs)
        run(settings, jobs, catalog, plugins, partial(attach, jobs=jobs, catalog=catalog, plugins=plugins))
    finally:
        jobs.close()
        lock.release()


if __name__ == "__main__":
    cli.main(serve=serve, open_jobs=partial(open_jobs, owner="cli"))
