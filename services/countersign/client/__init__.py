"""For relying parties: publish a login, await the answer, bring the browser back.

Needs aiokafka and msgspec, and nothing that the services need.
"""

from countersign.adapters.kafka.connection import KafkaConnection
from countersign.adapters.kafka.topic_layout import TopicNames
from countersign.client.answers import LoginDecision, LoginOutcome
from countersign.client.client import ANSWER_TIMEOUT, CountersignClient
from countersign.core.errors import (
    BusUnavailableError,
    CountersignError,
    InvalidEventError,
    NoAnswerError,
    SettingsError,
)
from countersign.core.login import PostLoginEvent
from countersign.core.result import Assurance, Reason, Verdict
from countersign.wire.signed_part import Signer

__all__ = [
    "ANSWER_TIMEOUT",
    "Assurance",
    "BusUnavailableError",
    "CountersignClient",
    "CountersignError",
    "InvalidEventError",
    "KafkaConnection",
    "LoginDecision",
    "LoginOutcome",
    "NoAnswerError",
    "PostLoginEvent",
    "Reason",
    "SettingsError",
    "Signer",
    "TopicNames",
    "Verdict",
]
