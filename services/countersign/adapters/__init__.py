"""What fulfils the ports: Kafka, Redis, sealed secrets, and in-memory twins."""
