"""What a route answers, as the OpenAPI document shows it.

FastAPI, given the model, would make a validator for each answer of each route, which nobody asks: more than half of the
time it takes to make the application. Here each answer names its schema, and the document describes all of them once.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.api import director_models, durable_functions_models

_SCHEMAS = "#/components/schemas/"
_MODELS = (
    durable_functions_models.InstanceStatus,
    durable_functions_models.ManagementUris,
    durable_functions_models.Purged,
    durable_functions_models.Refused,
    director_models.Definition,
    director_models.Error,
    director_models.Unauthorized,
    director_models.WorkflowRun,
    director_models.WorkflowWithTasks,
)


def one(model: type[BaseModel], description: str | None = None) -> dict[str, Any]:
    """An answer of this form."""
    return _answer({"$ref": _SCHEMAS + model.__name__}, description)


def several(model: type[BaseModel], description: str | None = None) -> dict[str, Any]:
    """An answer that is a list of these."""
    return _answer({"type": "array", "items": {"$ref": _SCHEMAS + model.__name__}}, description)


def schemas() -> dict[str, Any]:
    """Every form that an answer names, by its name."""
    _, described = models_json_schema(
        [(model, "serialization") for model in _MODELS], ref_template=_SCHEMAS + "{model}"
    )
    found: dict[str, Any] = described["$defs"]
    return found


def _answer(schema: dict[str, Any], description: str | None) -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": schema}}}
    return content if description is None else content | {"description": description}
