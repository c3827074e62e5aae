"""A worker that charges its part of the sessions for each minute that it reads: ``python -m bench.part 1/2``."""

import sys
from datetime import timedelta

from bench.harness import START
from soulseer.app import create_app
from soulseer.jobs import billing_tick
from soulseer.jobs.context import JobContext

with create_app().app_context():
    for line in sys.stdin:
        now = START + timedelta(minutes=int(line) - 1, seconds=31)
        print(billing_tick.run(JobContext(now=now, arguments={"part": sys.argv[1]}))["minutes"], flush=True)
