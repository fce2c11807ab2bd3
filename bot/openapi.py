"""The OpenAPI document: what the routes say, with who may ask, and without answers that are never given."""

from typing import Any

from fastapi import FastAPI

from bot.api.answers import schemas
from bot.api.problems import DIRECTOR, DURABLE_FUNCTIONS, is_managing

_PUBLIC = (f"{DIRECTOR}/ping",)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "basic": {"type": "http", "scheme": "basic", "description": "The token is the password; any user."},
    "code": {"type": "apiKey", "in": "query", "name": "code"},
}
_OPERATIONS = ("get", "post", "put", "delete", "patch")


def describe(app: FastAPI) -> None:
    """Let the application's document say it."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI documents it


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    described = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        described.pop(name, None)
    described |= schemas()
    for path, operations in document["paths"].items():
        for method in _OPERATIONS:
            if method in operations:
                operation = operations[method]
                operation["responses"].pop("422", None)  # parameters are read by the routes, which say 400
                if is_managing(path) and path not in _PUBLIC:
                    operation["security"] = _security(path)
    return document


def _security(path: str) -> list[dict[str, list[str]]]:
    schemes = ("bearer", "basic", "code") if path.startswith(DURABLE_FUNCTIONS) else ("bearer", "basic")
    return [{scheme: []} for scheme in schemes]
