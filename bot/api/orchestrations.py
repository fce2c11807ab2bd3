"""What the requests of Durable Functions ask of our workflows, and what they are answered."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import anyio
from fastapi import Request, Response

from bot.api import durable_functions_queries as queries
from bot.api import durable_functions_words as words
from bot.api.door import Door
from bot.api.json import JsonResponse, read_json
from bot.api.management import Management
from bot.api.problems import DURABLE_FUNCTIONS, Problem
from durable.client import check_workflow_id
from durable.errors import NotSerializable, StepNotFound, WorkflowClosed, WorkflowIdTaken, WorkflowNotFound, WrongState
from durable.model import Description, Filter, WorkflowState

_RETRY_START = 10  # seconds, as its clients know them
_RETRY_STATUS = 5
_TOKEN = "x-ms-continuation-token"  # noqa: S105 - the name of a header
_PURGE_PAGE = 500
_ENDED = words.states_of(words.ENDED)


class Orchestrations:
    """What its requests ask of our workflows."""

    def __init__(self, management: Management, door: Door) -> None:
        self._client = management.client
        self._operator = management.operator
        self._workflows = management.workflows
        self.door = door

    async def start(self, request: Request, function_name: str, instance_id: str) -> Response:
        """Begin one, by the `reuse` that it was declared with. Raises `Problem`: 400 for an unknown workflow, a bad id or
        input, 409 while one runs, or where one has run and none may again."""
        workflow = self._workflows.get(function_name)
        if workflow is None:
            known = ", ".join(sorted(self._workflows))
            raise Problem(400, f"there is no orchestrator function {function_name[:100]!r}; known are: {known}")
        _check_new_id(instance_id)
        patience = queries.patience(request)
        body = await self.door.body(request)

        def begin() -> bool:
            try:
                given = read_json(body) if body.strip() else None
                arguments = words.arguments_for(workflow, given, is_given=bool(body.strip()))
                return self._client.start(workflow, *arguments, workflow_id=instance_id).is_new
            except (ValueError, NotSerializable) as problem:
                raise Problem(400, f"the input cannot be used: {problem}") from problem
            except WorkflowIdTaken as problem:
                raise Problem(409, str(problem)) from problem

        if not await self.door.wait_for(begin):
            raise Problem(409, f"an instance {instance_id} is there and has not ended")
        return await self._begun(request, instance_id, patience)

    async def restart(self, request: Request, instance_id: str) -> Response:
        """Begin one again. Raises `Problem`."""
        _check_new_id(instance_id)
        patience = queries.patience(request)
        is_new = queries.flag(request, "restartWithNewInstanceId", default=True)
        new_id = uuid4().hex if is_new else None
        try:
            await self.door.wait_for(lambda: self._operator.restart(instance_id, new_id=new_id))
        except WorkflowNotFound as problem:
            raise Problem(400, str(problem)) from problem
        except (WrongState, WorkflowIdTaken) as problem:
            raise Problem(409, str(problem)) from problem
        return await self._begun(request, new_id or instance_id, patience)

    async def status(self, request: Request, instance_id: str) -> Response:
        """One as it stands. Raises `Problem`."""
        queries.known_id(instance_id)
        shows_input = queries.flag(request, "showInput", default=True)
        shows_history = queries.flag(request, "showHistory", default=False)
        with_results = queries.flag(request, "showHistoryOutput", default=False)

        def look() -> tuple[Description, dict[str, Any]]:
            described = self._client.describe(instance_id)
            given = self._client.inputs([instance_id]).get(instance_id) if shows_input else None
            if not shows_history:
                return described, words.status_json(described, given)
            events = words.history_events(
                described,
                self._client.history(instance_id),
                given=None if given is None else words.input_of(*given),
                with_results=with_results,
            )
            return described, words.status_json(described, given, events)

        try:
            described, shown = await self.door.wait_for(look)
        except WorkflowNotFound as problem:
            raise Problem(404, str(problem)) from problem
        status = words.status_of(described.state)
        if status not in words.ENDED:
            query = f"?{request.url.query}" if request.url.query else ""
            here = f"{self.door.base_url(request)}{quote(request.url.path, safe='/:@')}{query}"
            headers = {"Location": here, "Retry-After": str(_RETRY_STATUS)}
            return JsonResponse(shown, 202, headers)
        fails = queries.flag(request, "returnInternalServerErrorOnFailure", default=False)
        return JsonResponse(shown, 500 if fails and status == "Failed" else 200)

    async def page(self, request: Request) -> Response:
        """A page of them. Raises `Problem`."""
        wanted = self._filter(request)
        if wanted is None:
            return JsonResponse([])
        after = request.headers.get(_TOKEN) or None
        shows_input = queries.flag(request, "showInput", default=True)

        def look() -> tuple[list[dict[str, Any]], str | None]:
            page = self._client.search(wanted, limit=queries.rows(request), after=after)
            inputs = self._client.inputs([item.workflow_id for item in page.items]) if shows_input else {}
            return [words.status_json(item, inputs.get(item.workflow_id)) for item in page.items], page.next

        try:
            shown, further = await self.door.wait_for(look)
        except ValueError as problem:
            raise Problem(400, str(problem)) from problem
        return JsonResponse(shown, headers={} if further is None else {_TOKEN: further})

    async def steer(self, instance_id: str, what: Callable[[], object]) -> Response:
        """Do it. Raises `Problem`: 404, 410 for one that has ended, 409 and 400 where its state does not allow it."""
        queries.known_id(instance_id)
        try:
            await self.door.wait_for(what)
        except WorkflowNotFound as problem:
            raise Problem(404, str(problem)) from problem
        except WorkflowClosed as problem:
            raise Problem(410, str(problem)) from problem
        return Response(status_code=202)

    def terminate(self, instance_id: str, reason: str) -> None:
        """End it at once."""
        self._client.terminate(instance_id, reason)

    def suspend(self, instance_id: str, reason: str) -> None:
        """Pause it; nothing to do for one that is paused."""
        try:
            self._operator.suspend(instance_id, reason)
        except WrongState as problem:
            _refuse_ended(problem)

    def resume(self, instance_id: str, _reason: str) -> None:
        """Let it go on; nothing to do for one that is not paused."""
        try:
            self._operator.resume(instance_id)
        except WrongState as problem:
            _refuse_ended(problem)

    def rewind(self, instance_id: str, reason: str) -> None:
        """Retry it from where it failed."""
        try:
            self._operator.rewind(instance_id, reason)
        except WrongState as problem:
            if problem.state == "failed":
                raise Problem(409, str(problem)) from problem
            _refuse_ended(problem)
            raise Problem(400, str(problem)) from problem
        except StepNotFound as problem:
            raise Problem(400, str(problem)) from problem

    def raise_event(self, instance_id: str, event_name: str, payload: Any) -> None:
        """Tell it something."""
        if not event_name.isprintable() or len(event_name) > queries.LONGEST_NAME:
            raise Problem(400, "no event has such a name")
        try:
            self._client.signal(instance_id, event_name, payload, key=uuid4().hex)
        except NotSerializable as problem:
            raise Problem(400, str(problem)) from problem

    async def purge(self, instance_id: str) -> Response:
        """Forget it. Raises `Problem`."""
        queries.known_id(instance_id)
        try:
            await self.door.wait_for(lambda: self._operator.purge(instance_id))
        except WorkflowNotFound as problem:
            raise Problem(404, str(problem)) from problem
        except WrongState as problem:
            raise Problem(409, str(problem)) from problem
        return JsonResponse({"instancesDeleted": 1})

    async def purge_many(self, request: Request) -> Response:
        """Forget many. Raises `Problem`."""
        if queries.moment(request, "createdTimeFrom") is None:
            raise Problem(400, "createdTimeFrom is required, such as 2026-01-31T12:00:00Z")
        wanted = self._filter(request)
        states = [state for state in (wanted.states or _ENDED) if state in _ENDED] if wanted else []
        purged = await self.door.wait_for(lambda: self._purge_all(wanted, states)) if wanted and states else 0
        if not purged:
            raise Problem(404, "no instance that has ended fits")
        return JsonResponse({"instancesDeleted": purged})

    def _purge_all(self, wanted: Filter, states: Sequence[WorkflowState]) -> int:
        purged, after = 0, None
        ended = Filter(states=states, created_from=wanted.created_from, created_to=wanted.created_to)
        while True:
            page = self._client.search(ended, limit=_PURGE_PAGE, after=after)
            for item in page.items:
                with suppress(WorkflowNotFound, WrongState):  # begun again, gone, or awaited by its parent
                    self._operator.purge(item.workflow_id)
                    purged += 1
            if (after := page.next) is None:
                return purged

    async def _begun(self, request: Request, instance_id: str, patience: tuple[float, float] | None) -> Response:
        """The answer to a start: the addresses, or the end if it is waited for and comes in time."""
        described = None if patience is None else await self._end_of(instance_id, *patience)
        if described is not None and described.state == "completed":
            return JsonResponse(words.output_of(described))
        if described is not None:
            return await self.status(request, instance_id)
        base = self.door.base_url(request) + DURABLE_FUNCTIONS
        uris = words.management_of(base, instance_id, queries.carried_on(request))
        return JsonResponse(uris, 202, {"Location": uris["statusQueryGetUri"], "Retry-After": str(_RETRY_START)})

    async def _end_of(self, instance_id: str, seconds: float, interval: float) -> Description | None:
        """The instance once it has ended; None after `seconds`, or if it is gone."""
        with anyio.move_on_after(seconds):
            while True:
                try:
                    described = await self.door.wait_for(lambda: self._client.describe(instance_id))
                except WorkflowNotFound:
                    return None
                if described.state in _ENDED:
                    return described
                await anyio.sleep(interval)
        return None

    def _filter(self, request: Request) -> Filter | None:
        """Which instances are meant; None where no instance can be. Raises `Problem`."""
        given = request.query_params.getlist("runtimeStatus")
        prefix = request.query_params.get("instanceIdPrefix", "")
        try:
            states = words.states_of(given)
        except ValueError as problem:
            raise Problem(400, str(problem)) from problem
        if not prefix.isprintable() or (not states and any(part.strip(", ") for part in given)):
            return None
        created = (queries.moment(request, "createdTimeFrom"), queries.moment(request, "createdTimeTo"))
        return Filter(prefix=prefix, states=states, created_from=created[0], created_to=created[1])


def _check_new_id(instance_id: str) -> None:
    try:
        check_workflow_id(instance_id)
    except ValueError as problem:
        raise Problem(400, str(problem)) from problem


def _refuse_ended(problem: WrongState) -> None:
    if problem.state in _ENDED:
        raise Problem(410, str(problem)) from problem
