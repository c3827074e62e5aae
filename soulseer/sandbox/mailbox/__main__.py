"""`python -m soulseer.sandbox.mailbox --port P --directory D`: pages on P, SMTP on the port of MAIL_URL."""

import os
import sys
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller

from soulseer.sandbox.mailbox.app import create_app
from soulseer.sandbox.mailbox.box import Mailbox, Taker
from soulseer.sandbox.serving import HOST, parse_arguments, serve_until_stopped


def main() -> None:
    port, directory = parse_arguments("SoulSeer sandbox: mailbox")
    smtp_port = urlsplit(os.environ.get("MAIL_URL", "")).port
    if smtp_port is None:
        sys.exit("MAIL_URL has to name the port to take mail at: smtp://127.0.0.1:2525")
    box = Mailbox(directory / "mailbox")
    server = Controller(Taker(box), hostname=HOST, port=smtp_port, enable_SMTPUTF8=True)
    serve_until_stopped("Sandbox mailbox", create_app(box), port, before=server.start, after=server.stop)


if __name__ == "__main__":
    main()
