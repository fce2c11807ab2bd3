"""Puts the management interfaces into the application: their routes, their limits, and what they answer when refused."""

from fastapi import FastAPI, Request, Response
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException

from bot.api import director, durable_functions
from bot.api.door import Door
from bot.api.json import JsonResponse
from bot.api.limits import Buckets, RateLimit
from bot.api.management import Management
from bot.api.paths import CanonicalPaths
from bot.api.problems import DURABLE_FUNCTIONS, Problem, answer, is_managing
from durable.errors import Undecodable

_RETRY_DATABASE = 10  # seconds


def add_management(app: FastAPI, management: Management, door: Door, buckets: Buckets) -> None:
    """Add both interfaces."""
    app.include_router(durable_functions.router(management, door))
    app.include_router(director.router(management, door))
    app.add_exception_handler(Problem, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(SQLAlchemyError, _without_database)
    app.add_exception_handler(Undecodable, _unreadable)
    app.add_middleware(RateLimit, buckets=buckets)
    app.add_middleware(CanonicalPaths)


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return answer(request, problem)


async def _not_routed(request: Request, problem: Exception) -> Response:
    """A path or a method that there is not. Durable Functions knows no method that is not allowed."""
    assert isinstance(problem, HTTPException)
    if not is_managing(request.url.path):
        return JsonResponse({"detail": problem.detail}, problem.status_code, problem.headers)
    is_unknown = request.url.path.startswith(DURABLE_FUNCTIONS) and problem.status_code == 405
    return answer(request, Problem(404 if is_unknown else problem.status_code, str(problem.detail)))


async def _without_database(request: Request, problem: Exception) -> Response:
    """The database refused a value, or it is away."""
    if isinstance(problem, DataError):
        return answer(request, Problem(400, "a value is of a form that cannot be looked for"))
    return answer(request, Problem(503, "the database is away", retry_after=_RETRY_DATABASE))


async def _unreadable(request: Request, problem: Exception) -> Response:
    """What is stored is of a type that the code of this process does not have."""
    return answer(request, Problem(500, f"what is stored cannot be read here: {problem}"))
