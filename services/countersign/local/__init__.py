"""The embedded stack: a real Kafka and a real Valkey from package registries, with no Docker."""

from countersign.local.errors import StackError
from countersign.local.progress import Progress, Silence, on_stderr
from countersign.local.server import Server
from countersign.local.stack import Stack, embedded_stack

__all__ = ["Progress", "Server", "Silence", "Stack", "StackError", "embedded_stack", "on_stderr"]
