"""The application object that gunicorn and ``flask`` find."""

from soulseer.app import create_app

app = create_app()
