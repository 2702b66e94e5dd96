"""The bus: connections, topics, tenants' settings, records out."""
