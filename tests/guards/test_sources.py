"""Rules of the house that the sources themselves must keep."""

import re
from pathlib import Path

from config.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
PRODUCT = [path for room in ("soulseer", "config") for path in (REPOSITORY / room).rglob("*.py")]


def test_only_db_commits() -> None:
    found = [path.relative_to(REPOSITORY).as_posix() for path in PRODUCT if ".commit(" in path.read_text()]
    assert found == ["soulseer/db.py"]


def test_every_setting_is_in_the_example_environment() -> None:
    lines = (REPOSITORY / ".env.example").read_text().splitlines()
    named = {line.lstrip("# ").partition("=")[0] for line in lines if "=" in line}
    # SANDBOX and its folder are the launcher's; a production refuses them.
    expected = {name.upper() for name in Settings.model_fields} - {"SANDBOX", "SANDBOX_DIR"}
    assert sorted(expected - named) == []


def test_every_setting_of_the_example_is_explained() -> None:
    """In words above it, or above the block of settings that it stands in."""
    silent, words = [], False
    for line in (REPOSITORY / ".env.example").read_text().splitlines():
        if not line or line.startswith("#"):
            words = bool(line) if not line.startswith("# ---") else True
        elif not words:
            silent.append(line)
    assert silent == []


def test_no_file_grows_beyond_400_lines() -> None:
    sources = [*PRODUCT, *(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "templates").rglob("*.html")]
    assert [path.name for path in sources if len(path.read_text().splitlines()) > 400] == []


def test_templates_hold_no_inline_script_style_or_handler() -> None:
    forbidden = re.compile(r"<style\b|\sstyle=|\son[a-z]+=\"|javascript:|\shx-on|<script(?![^>]*\ssrc=)")
    templates = (REPOSITORY / "templates").rglob("*.html")
    code_only = {path: re.sub(r"\{#.*?#\}", "", path.read_text(), flags=re.S) for path in templates}
    assert [path.name for path, text in code_only.items() if forbidden.search(text)] == []


def test_post_forms_carry_the_csrf_token() -> None:
    forms = re.compile(r"<form\b[^>]*method=\"post\"[^>]*>.*?</form>", re.S | re.I)
    missing = [
        path.relative_to(REPOSITORY).as_posix()
        for path in (REPOSITORY / "templates").rglob("*.html")
        # The stand-ins' pages are other sites.
        if "sandbox" not in path.parts
        # In the form itself, or by a macro of the same file.
        if forms.search(path.read_text()) and "csrf" not in path.read_text()
    ]
    assert missing == []
