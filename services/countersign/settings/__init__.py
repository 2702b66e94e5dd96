"""The process's own settings: environment variables first, then files of a secrets directory.

Law: a process starts with settings that are whole and don't contradict themselves, or says everything
that is wrong with them and doesn't start; and nothing here ever shows a secret.
"""

from countersign.settings.display import Shown, masked, unknown_variables
from countersign.settings.loading import load_settings
from countersign.settings.model import Settings

__all__ = ["Settings", "Shown", "load_settings", "masked", "unknown_variables"]
