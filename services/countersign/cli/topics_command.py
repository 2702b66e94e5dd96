"""`countersign topics`: the four topics, created and compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.table import Table

from countersign.adapters.kafka.configured import kafka_connection, topic_names
from countersign.adapters.kafka.topics import (
    TopicReport,
    TopicState,
    create_topics,
    describe_topics,
)
from countersign.cli.app import FAILED, OK
from countersign.cli.output import answers, notes
from countersign.cli.session import begin

Count = Annotated[int, Parameter(validator=Number(gte=1))]

app = App(
    name="topics",
    help="""\
Create the topics, or tell how they stand.

A topic that is there already is never changed: where it differs from what it should be, you are told
what differs and which of Kafka's own commands sets it right.""",
)


@app.command
async def create(*, partitions: Count = 6, replication_factor: Count = 1) -> int:
    """Create the topics that are missing. Safe to call again.

    Args:
        partitions: How many partitions login events, results and dead letters get. So many deciders at
            most can share the work; don't change it later.
        replication_factor: How many brokers have a copy. Use 3 in production.
    """
    settings = begin()
    reports = await create_topics(
        kafka_connection(settings),
        topic_names(settings),
        partitions=partitions,
        replication_factor=replication_factor,
    )
    return _tell(reports)


@app.command(name="list")
async def list_() -> int:
    """Tell how the topics stand, and where they differ from what they should be."""
    settings = begin()
    return _tell(await describe_topics(kafka_connection(settings), topic_names(settings)))


def _tell(reports: Sequence[TopicReport]) -> int:
    """Print the reports; return 1 where a topic is not as it should be."""
    table = Table(box=None, pad_edge=False)
    for heading in ("Topic", "Partitions", "Copies", "State"):
        table.add_column(heading, overflow="fold")
    for report in reports:
        missing = report.state is TopicState.MISSING
        table.add_row(
            report.topic.name,
            "" if missing else str(report.topic.partitions),
            "" if missing else str(report.topic.replication_factor),
            report.state.value,
        )
    answers().print(table)
    for report in reports:
        for difference in report.differences:
            notes().print(
                f"{report.topic.name}: {difference.what} is {difference.stands},"
                f" and should be {difference.wanted}.\n    → {difference.remedy}"
            )
        if report.state is TopicState.MISSING:
            notes().print(f"{report.topic.name} is missing.\n    → countersign topics create")
    as_wanted = all(
        report.state in {TopicState.CREATED, TopicState.AS_WANTED} for report in reports
    )
    return OK if as_wanted else FAILED
