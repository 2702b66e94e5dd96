"""`countersign tail`: results as they come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.text import Text

from countersign.adapters.kafka.configured import kafka_connection
from countersign.cli.output import answers, notes
from countersign.cli.session import begin
from countersign.cli.shown import one_line
from countersign.cli.stored_records import StoredRecord, open_topic
from countersign.core.errors import InvalidEventError
from countersign.core.result import Verdict
from countersign.wire.results import Result, cause, read_result

_COLOURS: Final[Mapping[Verdict, str]] = {
    Verdict.ALLOW: "green",
    Verdict.DENY: "red",
    Verdict.PENDING: "yellow",
}


async def tail(
    *,
    tenant: str | None = None,
    from_beginning: Annotated[bool, Parameter(negative=())] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    count: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
) -> None:
    """Show results as they are published, until Ctrl-C.

    Args:
        tenant: Only this tenant's.
        from_beginning: Begin with those that stand on the topic already.
        as_json: Print one JSON object a line.
        count: End after so many.
    """
    settings = begin()
    shown = 0
    async with open_topic(kafka_connection(settings), settings.mfa_results_topic) as topic:
        async for record in topic.following(from_beginning=from_beginning):
            identity = cause(record.headers)
            if tenant is not None and (identity is None or identity.tenant != tenant):
                continue
            try:
                result = read_result(record.value or b"", record.headers)
            except InvalidEventError as error:
                notes().print(f"{record.place}: {one_line(error.detail)}")
                continue
            answers().print(_as_json(record, result) if as_json else _as_line(record, result))
            shown += 1
            if shown == count:
                return


def _as_line(record: StoredRecord, result: Result) -> Text:
    body = result.body
    return Text.assemble(
        (f"{body.decided_at:%Y-%m-%dT%H:%M:%S}Z ", "dim"),
        f"{body.tenant}  {one_line(body.subject)}  ",
        f"{result.type.value}  ",
        (f"{body.verdict.value}", _COLOURS[body.verdict]),
        f"  {body.reason.value}  {body.assurance.value}  ",
        (" > ".join(map(one_line, body.trace)), "dim"),
        (f"  {record.place}", "dim"),
    )


def _as_json(record: StoredRecord, result: Result) -> str:
    said = {
        "id": result.id,
        "type": f"countersign.{result.type.value}.v1",
        "source": result.identity.source,
        **msgspec.to_builtins(result.body),
        "partition": record.place.partition,
        "offset": record.place.offset,
    }
    # In ASCII, so that nothing in it can steer a terminal.
    return json.dumps(said)
