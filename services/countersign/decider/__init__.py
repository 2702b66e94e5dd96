"""The decider: login events in, decisions and outcomes out, each exactly one."""
