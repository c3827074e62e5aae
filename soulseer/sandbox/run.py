"""``make run``: the embedded servers, the database, the stand-ins, then web, worker and scheduler."""

import os
import shutil
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from soulseer.sandbox import checks, environment, places, processes, steps
from soulseer.sandbox.embedded import EmbeddedPostgres, EmbeddedValkey
from soulseer.sandbox.people import DEMO_PEOPLE
from soulseer.sandbox.steps import StepFailed, step
from soulseer.sandbox.supervisor import Part, Supervisor

READY_SECONDS = 60.0
# Both commands in one process: importing the app is what takes the time.
PREPARE = """
from flask.cli import ScriptInfo
from wsgi import app
with app.app_context():
    for words in (["db", "upgrade"], ["demo", "seed"]):
        app.cli.main(words, obj=ScriptInfo(create_app=lambda: app), standalone_mode=False)
"""


class Sandbox:
    """All that one ``make run`` starts, with the folder it keeps its things in."""

    def __init__(self, repository: Path, directory: Path) -> None:
        self.repository = repository
        self.directory = directory
        self.records = directory / "run"
        self.logs = directory / "log"
        self.outside = environment.given(repository)
        self.facts = environment.kept_facts(directory)
        self.port = checks.wanted_port()
        self.values = environment.compose(self.facts, self.outside, directory, self.port)
        owner = os.environ.pop("SOULSEER_OWNER", None)
        self.supervisor = Supervisor(self.logs, owner=int(owner) if owner else None)
        self.servers: list[EmbeddedPostgres | EmbeddedValkey] = []
        self.records.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every part."""
        return {
            **os.environ,
            **self.values,
            "PYTHONUNBUFFERED": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(self.directory / "metrics"),
            "WEB_GRACEFUL_SECONDS": "5",
        }

    def start_servers(self) -> None:
        """Start PostgreSQL and Valkey, unless others were given. Raises SandboxError."""
        postgres = None if "DATABASE_URL" in self.outside else EmbeddedPostgres(self.directory / "postgres")
        valkey = None if "REDIS_URL" in self.outside else EmbeddedValkey(self.directory / "valkey")
        if postgres:
            with step("PostgreSQL") as current:
                self.servers.append(postgres)
                postgres.start()
                self.adopt("postgres", postgres)
                current.label = f"PostgreSQL on port {postgres.port}"
                if not postgres.has_database(environment.DATABASE):
                    postgres.create_database(environment.DATABASE)
            self.values["DATABASE_URL"] = postgres.url(environment.DATABASE)
            self.values.setdefault("REPORTING_DATABASE_URL", postgres.reporting_url(environment.DATABASE))
        if valkey:
            with step("Valkey (Redis)") as current:
                self.servers.append(valkey)
                valkey.start()
                self.adopt("valkey", valkey)
                current.label = f"Valkey (Redis) on port {valkey.port}"
            self.values["REDIS_URL"] = valkey.url()
        self.values.setdefault("REPORTING_DATABASE_URL", self.values["DATABASE_URL"])

    def adopt(self, name: str, server: EmbeddedPostgres | EmbeddedValkey) -> None:
        """Keep an embedded server running; it writes a log of its own."""

        def start(_output: int) -> processes.Process:
            return server.spawn()

        self.supervisor.adopt(Part(name, start, stop_timeout=15.0), server.process)

    def start_stand_ins(self) -> None:
        """Start the vendors' stand-ins at their kept ports. Raises StepFailed if another program has one."""
        for name in environment.STAND_INS:
            if not environment.uses_stand_in(name, self.outside):
                continue
            port = self.kept_port(name)
            if name == "mailbox":
                self.kept_port("smtp")
            module = (
                "-m",
                f"soulseer.sandbox.{name}",
                "--port",
                str(port),
                "--directory",
                str(self.directory),
            )
            self.supervise(name, [sys.executable, *module])

    def kept_port(self, name: str) -> int:
        """The port that is kept for a stand-in. Raises StepFailed where another program has it."""
        port = int(self.facts[f"{name}_port"])
        if not places.port_is_free(port):
            lost = " (people who signed in at the old address are strangers at the new one)."
            raise StepFailed(
                f"port {port}, kept for the sandbox's {name}, is taken by another program",
                f"Free it; or change {name}_port in {self.directory / 'sandbox.json'}"
                + lost * (name == "oidc"),
            )
        return port

    def prepare_database(self) -> None:
        """Bring the tables to the newest migration and add the demo people. Raises StepFailed."""
        with step("tables and demo people"):
            steps.run_logged(
                [sys.executable, "-c", PREPARE],
                self.logs / "database.log",
                hint=f"To begin with empty data: stop, and remove {self.directory / 'postgres'}.",
                folder=self.repository,
                environment=self.environment,
            )

    def start_product(self) -> None:
        """Start scheduler, worker and web, and wait until the web says it is ready. Raises StepFailed."""
        metrics = self.directory / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir()
        binaries = Path(sys.executable).parent
        with step("web, worker, scheduler"):
            self.supervise("scheduler", [binaries / "flask", "jobs", "scheduler"])
            self.supervise("worker", [binaries / "flask", "jobs", "worker"])
            self.supervise("web", [binaries / "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"])
            if not self.supervisor.wait_until(self.is_ready, READY_SECONDS) and not self.supervisor.stopping:
                raise StepFailed(
                    f"the web did not become ready within {READY_SECONDS:.0f} s: {self.last_answer}",
                    log=self.logs / "web.log",
                )

    def supervise(self, name: str, command: list[str | Path]) -> None:
        """Start a part and keep it running."""

        def start(output: int) -> processes.Process:
            return processes.start(
                command,
                record=self.records / f"{name}.process",
                environment=self.environment,
                folder=self.repository,
                output=output,
            )

        self.supervisor.start(Part(name, start, stop_timeout=12.0))

    def is_ready(self) -> bool:
        """Whether GET /readyz answers 200."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            self.last_answer = f"/readyz said {answer.status} {answer.read(500).decode(errors='replace')}"
        except (OSError, HTTPException) as error:
            self.last_answer = f"/readyz: {error or type(error).__name__}"
            return False
        else:
            return answer.status == 200
        finally:
            connection.close()

    last_answer = "not asked yet"


def run(repository: Path, directory: Path) -> int:
    """Start everything, look after it until told to stop, stop it. Raises StepFailed and SandboxError."""
    lock = checks.LauncherLock(directory)
    lock.take(address=f"http://127.0.0.1:{checks.wanted_port()}")
    sandbox = Sandbox(repository, directory)
    supervisor = sandbox.supervisor
    supervisor.quiet = True  # until the steps are done
    try:
        sandbox.start_servers()
        environment.write(directory, sandbox.values)
        sandbox.start_stand_ins()
        sandbox.prepare_database()
        supervisor.catch_signals()
        sandbox.start_product()
        if not supervisor.stopping:
            announce(sandbox)
        supervisor.quiet = False
        supervisor.run()
    finally:
        supervisor.catch_signals()
        print("stopping", flush=True)
        supervisor.stop()
        for server in sandbox.servers:
            server.stop()
        lock.release()
    return 0


def announce(sandbox: Sandbox) -> None:
    """Print where it is and who can sign in."""
    took = time.time() - float(os.environ.get("SOULSEER_START", time.time()))
    print(f"\nSoulSeer runs at {sandbox.values['APP_BASE_URL']}  (up in {took:.1f} s; Ctrl-C stops it)\n")
    if environment.uses_stand_in("oidc", sandbox.outside):
        print("Sign in as one of these; no password is asked for:")
        for person in DEMO_PEOPLE:
            print(f"  {person.email:<22} {person.note}")
    addresses = {
        "Stripe's stand-in": ("stripe", "STRIPE_API_BASE"),
        "Mail that was sent": ("mailbox", "MAILBOX_URL"),
    }
    print()
    for words, (name, variable) in addresses.items():
        if environment.uses_stand_in(name, sandbox.outside):
            print(f"{words}: {sandbox.values[variable]}")
    print(f"Logs: {sandbox.logs}. In another shell: .venv/bin/flask --help\n", flush=True)
