"""`python -m soulseer.sandbox.stripe --port P --directory D`."""

import os
import sys

from soulseer.sandbox.serving import parse_arguments, serve_until_stopped
from soulseer.sandbox.stripe.app import create_app
from soulseer.sandbox.stripe.settings import settings_from
from soulseer.sandbox.stripe.standin import StandIn


def main() -> None:
    port, directory = parse_arguments("SoulSeer sandbox: Stripe")
    try:
        settings = settings_from(os.environ, port, directory)
    except ValueError as error:
        sys.exit(str(error))
    stand_in = StandIn(settings)
    serve_until_stopped(
        "Sandbox Stripe", create_app(stand_in), port, before=stand_in.courier.start, after=stand_in.close
    )


if __name__ == "__main__":
    main()
