"""Logging: one line per event, JSON in production and readable in a terminal, with secrets masked everywhere."""

import logging
import sys
from collections.abc import Iterable
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bot.redaction import Redactor

# Libraries that say at INFO what our own lines say better, or say it for every request.
_QUIET = ("alembic", "apscheduler", "httpx", "slack_bolt", "slack_sdk", "github", "urllib3", "uvicorn")


def configure(*, secrets: Iterable[str] = (), stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send everything logged in this process, by structlog or the standard library, to `stream` (standard error).

    Lines carry what was bound (`workflow_id`, `delivery_id` …) and what stands in `extra`. A terminal gets readable
    lines, everything else JSON. `secrets` are masked in messages, values and tracebacks.
    """
    out = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(_formatter(Redactor(secrets), shared, readable=out.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _formatter(redactor: Redactor, shared: list[Processor], *, readable: bool) -> logging.Formatter:
    render: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )

    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        masked: dict[str, Any] = redactor.value(event)
        return masked

    def redact_line(_logger: WrappedLogger, _method: str, line: Any) -> str:
        # Once more: a secret may have been put together only by the rendering.
        return redactor.text(str(line))

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, render, redact_line],
    )
