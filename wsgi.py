"""The application object that gunicorn and ``flask`` find."""

import sys

from config.settings import SettingsError
from soulseer.app import create_app

try:
    app = create_app()
except SettingsError as error:
    # A line for each fault, no traceback: the reader is whoever set the environment.
    sys.exit("\n".join(error.faults))
