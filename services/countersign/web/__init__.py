"""What every web service here needs: a server inside the process's own event loop, and safe headers."""
