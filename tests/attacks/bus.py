"""Attacks over the bus: what is sent twice, under another's name, or isn't an event at all."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from countersign.challenger.answers import Page
from countersign.core.challenge import State
from countersign.core.errors import Defect
from countersign.core.tenant import DuoUsername, Mfa, Policy
from countersign.wire.inbound import MAX_EVENT_BYTES
from tests.attacks.scene import Scene
from tests.attacks.table import NOTHING, WRONG_CODE, Row, nobody, page
from tests.builders import GLOBEX, InboundRecord, a_login_record

FORGED_LINE: Final = 'x\r\n{"event": "forged", "level": "error"}\r\n'
_ONE: Final = {"ends": (NOTHING,), "state": State.PENDING}
_NONE: Final = {"ends": (), "decisions": ()}


async def redelivered(scene: Scene) -> None:
    """A login that comes again has the same challenge and the same bytes, and costs no second prompt."""
    login = await scene.login()
    for _ in range(3):
        await scene.world.bus.send(login.record)
    await scene.settled()
    assert await scene.world.bus.prompts(login.record) == 1


async def redelivered_when_over(scene: Scene) -> None:
    """A login that comes again after its challenge was denied opens nothing new."""
    login = await scene.login()
    await scene.returns(login, "a-guess-of-a-return-code")
    await scene.world.bus.send(login.record)
    await scene.settled()
    await scene.ask(scene.browser(), login.link)


async def same_id(scene: Scene, change: Callable[[InboundRecord], InboundRecord]) -> None:
    """Another event under an id that was used is a conflict, noted; the first decision stands."""
    login = await scene.login()
    await scene.refused(change(login.record))


def other_return_url(record: InboundRecord) -> InboundRecord:
    """Return the event with another place to go back to."""
    data = json.loads(record.value or b"")
    data["login"]["return_url"] = "https://evil.example.net/return"
    return record._replace(value=json.dumps(data).encode())


def other_user(record: InboundRecord) -> InboundRecord:
    """Return the event as another user's."""
    data = json.loads(record.value or b"")
    data["user"]["user_id"] += "-mallory"
    return record._replace(value=json.dumps(data).encode(), key=(record.key or b"") + b"-mallory")


async def unusable(scene: Scene, change: Callable[[InboundRecord], InboundRecord]) -> None:
    """What can't be taken is a dead letter at once, and the user's next event is decided."""
    record = a_login_record(
        tenant=scene.row.tenant,
        event_id=scene.event_id(),
        subject=scene.user,
        browser_id=scene.browser_id(),
        time=datetime.now(UTC),
    )
    await scene.refused(change(record))
    await scene.settled()


def with_header(name: str, value: bytes) -> Callable[[InboundRecord], InboundRecord]:
    """Return a change of one header."""
    return lambda record: record._replace(
        headers=[(key, value if key == name else old) for key, old in record.headers]
    )


def with_data(section: str, **fields: object) -> Callable[[InboundRecord], InboundRecord]:
    """Return a change of the data."""

    def change(record: InboundRecord) -> InboundRecord:
        data = json.loads(record.value or b"")
        data.setdefault(section, {}).update(fields)
        return record._replace(value=json.dumps(data).encode())

    return change


def with_subject(subject: str) -> Callable[[InboundRecord], InboundRecord]:
    """Return a change of the user, the key with it."""

    def change(record: InboundRecord) -> InboundRecord:
        tenant = (record.key or b"").partition(b":")[0]
        key = tenant + b":" + subject.encode()
        return with_data("user", user_id=subject)(record)._replace(key=key)

    return change


class _Bomb:
    """Leaves a file behind wherever it is unpickled."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._file,)


async def pickled(scene: Scene) -> None:
    """A pickle is no event, and nothing in it runs."""
    file = scene.world.processes["decider"].log.with_name("unpickled")
    bomb = pickle.dumps(_Bomb(file))
    await unusable(scene, lambda record: record._replace(value=bomb))
    assert not file.exists()


async def name_with_line_feeds(scene: Scene) -> None:
    """A user's name with line feeds makes no line of its own in a log, and no header."""
    login = await scene.login(user={"username": FORGED_LINE})
    prompt = await scene.at_the_prompt(login)
    await scene.comes_back(
        prompt, {"state": prompt.state, "duo_code": scene.code()}, browser=scene.browser()
    )
    lines = [line for lines in scene.world.logs.lines().values() for line in lines]
    assert "forged" not in {line["event"] for line in lines}


_LATER: Final = (datetime.now(UTC) + timedelta(days=1)).isoformat().encode()
_BAD: Final[dict[str, tuple[Callable[[InboundRecord], InboundRecord], Defect]]] = {
    "the key of another user": (
        lambda record: record._replace(key=(record.key or b"") + b"x"),
        Defect.KEY_MISMATCH,
    ),
    "another tenant in the data": (with_data("tenant", id=GLOBEX), Defect.INVALID_EVENT),
    "a tenant that nobody knows": (
        lambda record: with_header("ce_tenantid", b"umbrella")(record)._replace(
            key=b"umbrella:" + (record.key or b"").partition(b":")[2]
        ),
        Defect.UNKNOWN_TENANT,
    ),
    "of tomorrow": (with_header("ce_time", _LATER), Defect.TIME_IN_FUTURE),
    "no value": (lambda record: record._replace(value=None), Defect.EMPTY),
    "not UTF-8": (lambda record: record._replace(value=b"\xff{}"), Defect.NOT_JSON),
    "too large": (
        lambda record: record._replace(value=b'"' + b"x" * MAX_EVENT_BYTES + b'"'),
        Defect.TOO_LARGE,
    ),
    "10,000 brackets": (
        lambda record: record._replace(value=b'{"a":' * 10_000),
        Defect.NOT_JSON,
    ),
    "line feeds in the user's id": (with_subject(FORGED_LINE), Defect.INVALID_EVENT),
    "line feeds in the browser's id": (
        with_data("login", browser_id=FORGED_LINE),
        Defect.INVALID_EVENT,
    ),
    "a result's type": (
        with_header("ce_type", b"countersign.challenge.passed.v1"),
        Defect.UNKNOWN_TYPE,
    ),
}

ROWS: Final = (
    Row("bus-01 a login again and again", ("35",), redelivered, nobody(**_ONE)),
    Row(
        "bus-02 a login again after its denial",
        ("35",),
        redelivered_when_over,
        page(
            403,
            Page.DENIED,
            ends=(WRONG_CODE,),
            state=State.DENIED,
        ),
    ),
    Row(
        "bus-10 the same id with another return address",
        ("35",),
        partial(same_id, change=other_return_url),
        nobody(**_ONE, dead_letters=(Defect.CONFLICT,)),
    ),
    Row(
        "bus-11 the same id for another user",
        ("35",),
        partial(same_id, change=other_user),
        nobody(**_ONE, dead_letters=(Defect.CONFLICT,)),
    ),
    *(
        Row(
            f"bus-{number} {name}",
            ("45",) if "line feeds" in name else ("8",) if "tenant" in name else ("35",),
            partial(unusable, change=change),
            nobody(**_NONE, dead_letters=(defect,)),
        )
        for number, (name, (change, defect)) in enumerate(_BAD.items(), 20)
    ),
    Row("bus-40 a pickle", ("41",), pickled, nobody(**_NONE, dead_letters=(Defect.NOT_JSON,))),
    Row(
        "bus-41 a user's name with line feeds",
        ("45",),
        name_with_line_feeds,
        page(403, Page.WRONG_BROWSER, logged=("wrong_browser",)),
        settings={"mfa": Mfa(policy=Policy.ALL_APPLICATIONS, duo_username=DuoUsername.USERNAME)},
    ),
)
