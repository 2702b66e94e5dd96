"""The demo: real services on the embedded stack, and logins played through them."""

from countersign.local.demo.play import play

__all__ = ["play"]
