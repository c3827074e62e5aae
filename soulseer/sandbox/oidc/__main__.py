"""`python -m soulseer.sandbox.oidc --port P --directory D`."""

import os
import sys

from soulseer.sandbox.oidc.app import create_app
from soulseer.sandbox.oidc.settings import settings_from
from soulseer.sandbox.serving import parse_arguments, serve_until_stopped


def main() -> None:
    port, directory = parse_arguments("SoulSeer sandbox: OpenID provider")
    try:
        settings = settings_from(os.environ, directory)
    except ValueError as error:
        sys.exit(str(error))
    serve_until_stopped("Sandbox OpenID provider", create_app(settings), port)


if __name__ == "__main__":
    main()
