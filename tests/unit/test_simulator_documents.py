"""What docs/simulator.md lists, held to the code, so that it can't rot unseen."""

from __future__ import annotations

import re
from pathlib import Path

from countersign.simulator.behaviour import Behaviour
from countersign.simulator.fault import NATURES, Endpoint, Fault
from countersign.simulator.ledger import Entry
from countersign.simulator.prompt import FACTORS
from countersign.simulator.tokens import SCRIPTED

TEXT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text("utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """Return the cells of each row below a heading by the name that comes first."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `(\w+)` \|(.*)\|$", section, re.MULTILINE)
    assert len(dict(lines)) == len(lines)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in lines}


def test_every_fault_is_listed_with_its_places() -> None:
    """The page lists each fault, where it can strike, and no other."""
    listed = rows("Faults")
    fields = {"fault", "endpoint", "username", "client_id", "times", "seconds"}
    assert listed.keys() == {*Fault} | fields
    for fault in Fault:
        places = NATURES[fault].endpoints
        where = (
            "anywhere" if places == set(Endpoint) else ", ".join(f"`{p}`" for p in sorted(places))
        )
        assert listed[fault][0] == where


def test_every_behaviour_is_listed_with_its_words() -> None:
    """The page lists each behaviour with the factor and the reason of its token, and no other."""
    listed = rows("Scripts")
    assert listed.keys() == set(Behaviour)
    for behaviour in Behaviour:
        verdict = SCRIPTED.get(behaviour)
        words = "" if verdict is None else f"`{verdict.factor}`, `{verdict.reason}`"
        assert listed[behaviour][1] == words


def test_every_way_of_the_prompt_is_listed() -> None:
    """The page names the factor of each way through the prompt, and what the ledger tells."""
    section = TEXT.split("\n## The prompt, by hand\n")[1].split("\n## ")[0]
    assert set(re.findall(r"\| `(\w+)` \| `", section)) == set(FACTORS.values())
    ledger = TEXT.split("\n## The ledger\n")[1]
    assert all(f"`{field}`" in ledger for field in Entry.__struct_fields__)
