"""Reading what a form brings, within limits."""

from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.requests import Request

from bot.reading import BodyReader, Unreadable

_LARGEST = 256 * 1024
_MOST_FIELDS = 50
_TYPE = "application/x-www-form-urlencoded"


async def read_form(request: Request, bodies: BodyReader) -> FormData:
    """The fields of a form as browsers send it by default. Raises `Unreadable`: 413 for too much, 415 for another type,
    400 for what cannot be read."""
    if request.headers.get("content-type", _TYPE).partition(";")[0].strip().lower() != _TYPE:
        raise Unreadable(415, f"the form is not {_TYPE}")
    async with bodies.body(request, _LARGEST) as body:
        try:
            text = body.decode("utf-8")
            fields = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
            return FormData([(name, value) for name, value in fields])
        except ValueError as problem:
            raise Unreadable(400, "the form cannot be read") from problem
