"""Reads records whose header names are not UTF-8, which aiokafka's own reader gives up on.

Law 1: such a name costs a whole partition otherwise. aiokafka raises at the record, and at every later
try; what other partitions had ready in the same poll is lost with it. Any client that isn't Java's can
send one. This reader is pure Python and several times slower, so it comes in only when it is needed.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _Text(bytearray):
    """Bytes that always decode: what is not UTF-8 is written as backslash escapes."""

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002  # what the caller asks for is what must not happen
        return super().decode(encoding, "backslashreplace")


class _Buffer(bytearray):
    """A batch's bytes, whose parts always decode."""

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401  # bytearray's own
        part = super().__getitem__(index)
        return _Text(part) if isinstance(index, slice) else part


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types, and says final
    def _maybe_uncompress(self) -> None:
        fresh = not self._decompressed
        super()._maybe_uncompress()
        if fresh:
            self._buffer = _Buffer(self._buffer)  # type: ignore[has-type]  # aiokafka leaves it untyped


class _Records(_MemoryRecordsPy):  # type: ignore[misc]  # as above
    def next_batch(self) -> Any:  # noqa: ANN401  # aiokafka has no types
        part = self._next_slice
        if part is None or part[self.MAGIC_OFFSET] < _WITH_HEADERS:
            return super().next_batch()
        self._cache_next()
        return _Batch(part)


_WITH_HEADERS = 2  # the first message format that has headers (Kafka 0.11)


def read_tolerantly() -> None:
    """From here on, have every consumer of this process read tolerantly; safe to call again."""
    fetcher.MemoryRecords = _Records
