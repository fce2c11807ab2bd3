"""How parameters and bodies that the routes read by themselves stand in the OpenAPI document."""

from typing import Any

TEXT = "string"


def documented(**types: str) -> dict[str, Any]:
    """Query parameters, none of them required, by name and JSON type."""
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": {"type": type_}} for name, type_ in types.items()
    ]
    return {"parameters": parameters}


def flag_of(*names: str) -> dict[str, Any]:
    """Query parameters that are true or false."""
    return documented(**dict.fromkeys(names, "boolean"))


def json_body(*, required: bool, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A body of JSON."""
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema or {}}}}}
