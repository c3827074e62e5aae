"""`python -m soulseer.sandbox.storage --port P --directory D`: the bucket and keys of R2_BUCKET, R2_ACCESS_KEY_ID, …"""

import os
import sys

from soulseer.sandbox.serving import parse_arguments, serve_until_stopped
from soulseer.sandbox.storage.app import create_app
from soulseer.sandbox.storage.shelf import Shelf


def main() -> None:
    port, directory = parse_arguments("SoulSeer sandbox: storage")
    names = ("R2_BUCKET", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY")
    bucket, key_id, secret = (os.environ.get(name, "") for name in names)
    if not (bucket and key_id and secret):
        sys.exit(f"{', '.join(names)} have to say what to serve, and to whom")
    shelf = Shelf(directory / "storage" / bucket)
    serve_until_stopped("Sandbox storage", create_app(shelf, bucket, {key_id: secret}), port)


if __name__ == "__main__":
    main()
