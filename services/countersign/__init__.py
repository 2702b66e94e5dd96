"""Countersign decides, for every login on a Kafka bus, whether the user must pass a Duo challenge."""
