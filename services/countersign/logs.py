"""Logs: one JSON object a line (or readable on a console), from structlog and from libraries alike.

Named events with ids only; never a code, token, state, cookie or URL query (law 9).
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Literal

import stamina
import structlog


def set_up_logs(level: str, style: Literal["json", "console"]) -> None:
    """Send all logs to standard error.

    Args:
        level: the least level that is shown, such as `info`.
        style: `json` for machines, `console` for people.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    quiet_libraries()
    # Whoever waits says so, in words.
    stamina.instrumentation.set_on_retry_hooks([])


def quiet_libraries() -> None:
    """Keep libraries from building log records that nobody reads.

    Faust leaves aiokafka's effective level at DEBUG, and aiokafka then builds a record for every
    send: measured as a third of the throughput. So this is called again once Faust is set up.
    """
    for name in ("aiokafka", "faust", "mode", "asyncio", "uvicorn"):
        logging.getLogger(name).setLevel(logging.WARNING)


def where_it_failed(error: BaseException, *, frames: int = 6) -> list[str]:
    """Return the innermost places of an error's traceback, as `file:line function`.

    In place of the traceback itself: an exception's text can quote the event that caused it (law 9).
    """
    return [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-frames:]
    ]
