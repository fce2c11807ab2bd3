"""What nobody thought of: requests made up from the OpenAPI document, fitting and not, are answered as it says."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api.conftest import Stage
from tests.support.chaos import EVERY, Figure, sized

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = sized(1, 30)


def known_places(stage: Stage) -> Iterator[dict[str, str]]:
    """What stands in a path so that something is there: nothing in particular, an instance that waits, one that ended."""
    yield {}
    run = stage.management.runs.start("example.WORKFLOW", {})
    for name, instance_id in (("approval", "known-open"), ("echo", "known-ended")):
        stage.begin(name, instance_id, "x")
        yield {"instance_id": instance_id, "function_name": name, "event_name": "Approval", "workflow_id": run}


def _is_patient(case: Case[Any]) -> bool:
    try:
        return float((case.query or {}).get("timeout", 0)) > 0
    except (TypeError, ValueError):
        return False


@pytest.mark.chaos
def test_no_request_is_answered_by_an_error_of_ours_or_as_it_is_not_documented(
    stage: Stage, record_property: Figure
) -> None:
    document = stage.admin.get("/openapi.json").json()
    operations = [cast(Any, found).ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    url = str(stage.admin.base_url)
    headers = {"Authorization": stage.admin.headers["Authorization"]}
    asked = 0

    def check(case: Case[Any]) -> None:
        nonlocal asked
        asked += 1
        if _is_patient(case):
            case.query["timeout"] = "0.1"  # nobody works here, so the end would never come
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

    for number, places in enumerate(known_places(stage)):
        for operation in operations[number % EVERY :: EVERY]:
            fixed = {name: value for name, value in places.items() if f"{{{name}}}" in operation.path}
            if places and not fixed:
                continue
            for mode in GenerationMode:
                cases = operation.as_strategy(mode, **({"path_parameters": fixed} if fixed else {}))
                ask = given(case=cases)(check)
                try:
                    settings(
                        max_examples=EXAMPLES,
                        deadline=None,
                        derandomize=True,
                        database=None,
                        phases=[Phase.generate],
                        suppress_health_check=list(HealthCheck),
                    )(ask)()
                except Unsatisfiable:
                    assert mode is GenerationMode.NEGATIVE, operation.label  # nothing in it can be wrong
    record_property("requests made up and answered as documented", asked)
    assert asked > len(operations) // EVERY
