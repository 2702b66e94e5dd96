"""Bytes to values and back: CloudEvents on the bus, compact records in the store."""
