"""What holds for every template and style sheet, read from the files."""

import re
from pathlib import Path

import pytest

from tests.look.gallery import ROOT, create_gallery

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
COMPONENTS = sorted((ROOT / "templates/components").glob("*.html"))
STYLES = sorted((ROOT / "assets/css").rglob("*.css"))
RAW_COLOUR = re.compile(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(", re.IGNORECASE)
STATUSES = (400, 401, 403, 404, 405, 409, 410, 422, 429, 500, 503)


def without_comments(path: Path) -> str:
    """A template's text without {# … #}, which may speak of what is forbidden."""
    return re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_inline(path: Path) -> None:
    """The CSP forbids inline script, style and handlers; a mail's template may carry style (mail programs want it)."""
    if "email" in path.relative_to(ROOT / "templates").parts:
        pytest.skip("a mail, not a page")
    text = without_comments(path)
    assert not re.search(r"<style\b|\sstyle\s*=|javascript:|\son[a-z]+\s*=\s*[\"']|\shx-on", text)
    assert not [tag for tag in re.findall(r"<script\b[^>]*>", text) if "src=" not in tag]


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.name)
def test_every_macro_is_described_at_the_top(path: Path) -> None:
    text = path.read_text("utf-8")
    top = text.split("#}")[0].split("-#}")[0]
    for name in re.findall(r"\{%-?\s*macro\s+([a-z]\w*)\(", text):
        described = text.count(f"{{#- {name}(") or re.search(rf"\b{name}\(", top)
        assert described, f"{name} is not described in {path.name}"


def test_colours_live_in_one_place() -> None:
    for path in STYLES:
        if path.name != "tokens.css":
            css = re.sub(r"/\*.*?\*/|url\([^)]*\)", "", path.read_text("utf-8"), flags=re.DOTALL)
            masks = css.replace("#000 0", "")  # a mask's ink, not a colour
            assert not RAW_COLOUR.findall(masks), path.name


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The WCAG contrast ratio of two colours."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def tokens() -> dict[str, str]:
    """The plain colours of tokens.css by name."""
    text = (ROOT / "assets/css/tokens.css").read_text("utf-8")
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", text))


WORDS = "text text-soft text-muted text-faint accent accent-bright gold gold-bright good warning danger information"


@pytest.mark.parametrize("name", WORDS.split())
@pytest.mark.parametrize("ground", ["ground-black", "ground", "surface", "raised", "overlay"])
def test_words_can_be_read_on_every_ground(name: str, ground: str) -> None:
    assert contrast(tokens()[name], tokens()[ground]) >= 4.5


def test_boundaries_and_filled_buttons_can_be_seen() -> None:
    colours = tokens()
    assert contrast(colours["edge"], colours["raised"]) >= 3
    assert contrast(colours["accent-ink"], colours["accent"]) >= 4.5
    assert contrast(colours["accent-ink"], colours["accent-bright"]) >= 4.5
    assert contrast(colours["gold-ink"], colours["gold"]) >= 4.5


def test_the_display_face_is_for_the_name_and_page_titles() -> None:
    allowed = {".wordmark", ".page-title", ".hero-title", ".navbar-brand"}
    for path in STYLES:
        css = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
        for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", css):
            if "var(--face-display)" in body:
                assert selector.strip() in allowed, f"{path.name}: {selector.strip()}"


@pytest.mark.parametrize("status", STATUSES)
def test_each_error_has_its_words_and_asks_nobody(status: int) -> None:
    """The page stands when the person cannot be loaded (database away): it never names current_user."""
    app = create_gallery()
    processors = app.template_context_processors[None]
    app.template_context_processors[None] = [one for one in processors if "flask_login" not in one.__module__]
    app.config["PROPAGATE_EXCEPTIONS"] = True
    answer = app.test_client().get(f"/error/{status}")
    assert answer.status_code == status
    assert f"{status}</p>" in answer.text
    assert "Something went wrong" not in answer.text
