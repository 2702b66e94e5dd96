"""The AsyncAPI document is a valid one, and agrees with the schemas and with the code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from countersign.adapters.kafka.topic_layout import TopicNames, wanted_topics
from countersign.core.login import MAX_CLOCK_AHEAD
from countersign.core.result import ResultType
from countersign.wire.inbound import (
    BROWSERS_FORGET,
    LOGIN_ATTEMPTED,
    LOGIN_RETURNED,
    MAX_EVENT_BYTES,
    SECURITY_SIGNAL,
)
from tests.contract.compatibility import PROMISES
from tests.contract.schema_files import SCHEMAS, complaints, schema_files
from tests.contract.schema_records import EXAMPLES, load

_OFFICIAL = Path(__file__).with_name("asyncapi-3.0.0.json")
_MESSAGES = {
    "login.attempted": "loginAttempted",
    "login.returned": "loginReturned",
    "browsers.forget": "browsersForget",
    "security.signal": "securitySignal",
    "settings": "settings",
    "action": "action",
    "result": "loginAllowed",
}
"""Whose keys the examples' records have."""


@cache
def _document() -> dict[str, Any]:
    text = (SCHEMAS / "asyncapi.yaml").read_text("utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    return document


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for each in node:
            yield from _references(each)


def _resolved(reference: str) -> Any:  # noqa: ANN401  # any part of a document
    file, _, pointer = reference.partition("#")
    found = json.loads((SCHEMAS / file).read_text("utf-8")) if file else _document()
    for step in pointer.split("/")[1:]:
        found = found[step]
    return found


def _whole(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message with what its traits add to it."""
    traits = [_resolved(trait["$ref"]) for trait in message.get("traits", [])]
    return {name: value for part in (*traits, message) for name, value in part.items()}


def _messages() -> dict[str, dict[str, Any]]:
    return {
        name: _whole(message) for name, message in _document()["components"]["messages"].items()
    }


def _schema(part: dict[str, Any]) -> str:
    """Return the name of the JSON Schema that a message's payload or headers refer to."""
    file, _, pointer = part["schema"]["$ref"].partition("#")
    return f"{_resolved(file)['$id']}#{pointer}"


def test_it_is_a_valid_document() -> None:
    """AsyncAPI 3.0.0's own schema has nothing against it."""
    official = Draft7Validator(json.loads(_OFFICIAL.read_text("utf-8")))
    errors = [f"{error.json_path}: {error.message}" for error in official.iter_errors(_document())]
    assert errors == []


def test_each_reference_leads_somewhere() -> None:
    """To another place in the document, or to a schema beside it; and no schema is left out."""
    references = list(_references(_document()))
    for reference in references:
        assert _resolved(reference), reference
    files = {reference.partition("#")[0].removeprefix("./") for reference in references} - {""}
    assert files == set(schema_files())


def test_operations_and_channels_name_the_same_messages() -> None:
    """Each message of a channel is sent or received, and an operation names its channel's alone."""
    channels = _document()["channels"]
    named: set[str] = set()
    for operation in _document()["operations"].values():
        channel = operation["channel"]["$ref"]
        messages = {message["$ref"] for message in operation["messages"]}
        assert all(message.startswith(f"{channel}/messages/") for message in messages)
        named |= messages
    assert named == {
        f"#/channels/{name}/messages/{message}"
        for name, channel in channels.items()
        for message in channel["messages"]
    }
    used = {ref["$ref"] for channel in channels.values() for ref in channel["messages"].values()}
    assert used == {
        f"#/components/messages/{name}" for name in _document()["components"]["messages"]
    }


def test_the_types_are_the_codes() -> None:
    """Each event type that is read and each result type that is written is a message of its name."""
    names = {message["name"] for message in _messages().values()}
    assert {LOGIN_ATTEMPTED, LOGIN_RETURNED, BROWSERS_FORGET, SECURITY_SIGNAL} <= names
    for kind in ResultType:
        (message,) = (
            message
            for message in _messages().values()
            if message["name"] == f"countersign.{kind.value}.v1"
        )
        assert _schema(message["payload"]).endswith(f"/$defs/{kind.value}")


@pytest.mark.parametrize("name", sorted(_messages()))
def test_each_example_in_the_document_is_valid(name: str) -> None:
    """It keeps to the schemas of payload and headers that its own message refers to."""
    message = _messages()[name]
    for example in message.get("examples", []):
        for part in ("payload", "headers"):
            if part in example:
                assert complaints(_schema(message[part]), example[part]) == []


@pytest.mark.parametrize("folder", sorted(_MESSAGES))
def test_the_keys_of_valid_examples_are_as_described(folder: str) -> None:
    """The key's schema in the Kafka binding takes each of them."""
    key = _messages()[_MESSAGES[folder]]["bindings"]["kafka"]["key"]
    for path in EXAMPLES.glob(f"{folder}/valid/*.json"):
        record = load(path).record
        assert record.key is not None
        assert re.search(key["pattern"], record.key.decode()), path.name


def test_the_topics_are_as_they_are_created() -> None:
    """Names, partitions, retention and sizes are those that the topics get."""
    channels = {channel["address"]: channel for channel in _document()["channels"].values()}
    topics = wanted_topics(TopicNames(), partitions=12, replication_factor=3)
    assert set(channels) == {topic.name for topic in topics}
    for topic in topics:
        kafka = channels[topic.name]["bindings"]["kafka"]
        assert kafka.get("partitions", 12) == topic.partitions
        described = {
            name: ",".join(value) if isinstance(value, list) else str(value)
            for name, value in kafka["topicConfiguration"].items()
        }
        told = {"cleanup.policy", "retention.ms", "max.message.bytes"}
        assert described == {name: topic.configs[name] for name in told & topic.configs.keys()}


def test_the_limits_that_it_tells_are_the_codes() -> None:
    """The largest event and the sender's clock."""
    text = _document()["channels"]["loginEvents"]["description"]
    assert f"at most {MAX_EVENT_BYTES // 1024} KiB" in text
    assert f"at most {MAX_CLOCK_AHEAD.total_seconds() / 60:g} minutes ahead" in text


def test_it_promises_what_the_check_holds() -> None:
    """What may change within a version is told as it is checked."""
    promised = {
        channel["address"]: channel["x-compatibility"]
        for channel in _document()["channels"].values()
    }
    assert promised == {topic: promise.value for topic, promise in PROMISES.items()}
