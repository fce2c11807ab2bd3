"""What is answered when a request is refused: the status and why, put in the form of the interface it came to."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bot.access import CHALLENGE
from bot.api.json import JsonResponse

DIRECTOR = "/api"
DURABLE_FUNCTIONS = "/runtime/webhooks/durabletask"


class Problem(Exception):
    """A request that is refused. `errors` are the findings where there are several."""

    def __init__(
        self, status: int, message: str, *, errors: Sequence[str] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.retry_after = retry_after


def is_managing(path: str) -> bool:
    """Whether a path belongs to a management interface."""
    return path.startswith((f"{DIRECTOR}/", f"{DURABLE_FUNCTIONS}/"))


def answer(request: Request, problem: Problem) -> Response:
    """The answer in the words of the interface that was asked."""
    headers = {"WWW-Authenticate": CHALLENGE} if problem.status == 401 else {}
    if problem.retry_after is not None:
        headers["Retry-After"] = str(problem.retry_after)
    told = _of_durable_functions if request.url.path.startswith(DURABLE_FUNCTIONS) else _of_director
    return JsonResponse(told(problem), problem.status, headers)


def _of_durable_functions(problem: Problem) -> dict[str, Any]:
    return {"message": problem.message}


def _of_director(problem: Problem) -> dict[str, Any]:
    if problem.status == 401:
        return {
            "status": 401,
            "error": "unauthorized",
            "message": "Please authenticate to access this API.",
        }
    return {"error": problem.message} | ({} if problem.errors is None else {"errors": list(problem.errors)})
