"""Tenant code: the flow of Actions, its sandbox, and what an Action sees."""
