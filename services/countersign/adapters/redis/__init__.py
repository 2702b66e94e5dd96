"""The store: connections, leases, and the scripts that change what is remembered."""
