"""The tables of "Moving from Auth0" say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from countersign.actions.flow import ActionCode, FlowCode, FlowLogin
from countersign.actions.members import MEMBERS
from countersign.actions.realm import Realm
from countersign.core.action import ActionKind
from countersign.core.login import PostLoginEvent
from tests.full_event import FULL_EVENT, paths

PAGE = (Path(__file__).parents[2] / "docs" / "moving-from-auth0.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its head."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def documented() -> set[str]:
    """Return each field of the event that the page names, by its path."""
    found = set()
    for part, fields, _ in rows("Everything an Action can read"):
        base = f"event.{part.strip('`')}"
        found |= {
            base.removesuffix("[]"),
            *(f"{base}.{name}" for name in re.findall(r"`([^`]+)`", fields)),
        }
    return found


def test_every_member_stands_in_the_table() -> None:
    """The page lists each member of the api, the Rules and the global object, as the code treats it."""
    assert rows("Everything an Action can call") == [
        [f"`{member.path}`", member.treatment.value, member.explanation] for member in MEMBERS
    ]


def test_every_field_stands_in_the_table() -> None:
    """The page lists each field that Auth0 documents; what tenants keep in theirs is their own."""
    own = re.compile(
        r"event\.(.*metadata|request\.(query|body)|session\.device|user\.identities\[\]\.profileData"
        r"|authentication\.riskAssessment\.assessments\.\w+)\."
    )
    assert documented() == {path for path in paths(FULL_EVENT) if not own.match(path)}


def test_what_a_decision_reads_is_documented() -> None:
    """Each field that the typed event has, but for `login` and `max_age`, is one that Actions read."""
    typed = msgspec.to_builtins(msgspec.convert(FULL_EVENT, PostLoginEvent))
    # An entry is event.part.field; what is deeper is in tables of its own.
    assert {path for path in paths(typed) if path.count(".") <= 2} <= set(
        paths(FULL_EVENT)
    )  # as it says


@pytest.mark.parametrize("path", sorted(paths(FULL_EVENT)))
def test_an_action_reads_every_field(path: str) -> None:
    """An Action finds each documented field where Auth0 has it, with the value that was sent."""
    read = path.replace("[]", "[0]")
    source = f"exports.onExecutePostLogin = async (event, api) => api.user.setAppMetadata('read', {read});"
    action = ActionCode(name="read", version=1, kind=ActionKind.ACTION, source=source)
    realm = Realm(
        FlowCode(actions=(action,), time_limit=1, flow_time_limit=1), memory_limit=64 << 20
    )
    login = FlowLogin(tenant="acme", event=msgspec.json.encode(FULL_EVENT), at=0, seed=bytes(16))
    report = realm.run(login)
    assert report.failure is None
    assert report.recorded[0].arguments == ("read", value_at(path))


def value_at(path: str) -> object:
    """Return the full event's own value at a path."""
    value: object = FULL_EVENT
    for name in path.split(".")[1:]:
        assert isinstance(value, dict)
        value = value[name.removesuffix("[]")]
        if name.endswith("[]"):
            assert isinstance(value, list)
            value = value[0]
    return value
