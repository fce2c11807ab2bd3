"""Processes that start at once: forked from one that has everything imported, so that a death costs milliseconds.

multiprocessing keeps one such server in each of pytest's processes, and what it has imported is said once: here.
"""

import multiprocessing

IMPORTED = (
    "bot.cli_database",
    "bot.cli_doctor",
    "bot.cli_manifest",
    "bot.cli_serve",
    "bot.cli_workflow",
    "bot.serving",
    "tests.support.forked_bot",
    "tests.support.fleet",
    "tests.integration.watch.mortal",
    # What FastAPI, uvicorn and APScheduler import when they are first used, a fifth of the time a fork takes to be ready.
    "apscheduler.triggers.interval",
    "pydantic.v1",
    "uvicorn.lifespan.off",
    "uvicorn.loops.asyncio",
    "uvicorn.loops.auto",
    "uvicorn.protocols.http.auto",
    "uvicorn.protocols.websockets.auto",
)
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(list(IMPORTED))
