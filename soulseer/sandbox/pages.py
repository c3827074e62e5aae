"""What the stand-ins' pages share: templates, the stylesheet, and headers that allow no script at all."""

from pathlib import Path

from flask import Blueprint, Flask, Response

_TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
_STATIC = Path(__file__).resolve().parent / "static"


def create_stand_in(import_name: str, title: str) -> Flask:
    """A bare Flask app with `/healthz`, the sandbox's stylesheet and strict headers; `title` names it on its pages."""
    app = Flask(import_name, template_folder=str(_TEMPLATES), static_folder=None)
    app.jinja_env.globals["stand_in"] = title
    app.register_blueprint(
        Blueprint("assets", import_name, static_folder=str(_STATIC), static_url_path="/assets")
    )

    @app.get("/healthz")
    def healthz() -> tuple[dict[str, str], int]:
        return {"status": "ok"}, 200

    @app.after_request
    def harden(response: Response) -> Response:
        response.headers.setdefault(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
        )
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    return app
