"""PDF documents: headings, paragraphs, facts and tables that run over as many pages as they need, in many scripts."""

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import TTFFont

# Put there by the asset build (assets/build.mjs).
FONTS = Path(__file__).parents[1] / "static" / "build" / "fonts"
FAMILY = "DejaVu"
SMALL, TEXT, HEAD, TITLE = 8, 9.5, 13, 18
LINE = 1.45
GREY, BLACK = 110, 0


class _Pages(FPDF):
    footing = ""

    def footer(self) -> None:
        self.set_y(-12)
        self.set_font(FAMILY, size=SMALL)
        self.set_text_color(GREY)
        self.cell(0, 5, f"{self.footing}  ·  page {self.page_no()} of {{nb}}", align="C")
        self.set_text_color(BLACK)


class Document:
    """A4, one column. Text that no glyph is there for is written as its code points, so that nothing is left out unseen.

    Raises FileNotFoundError where the fonts were not built.
    """

    def __init__(self, title: str, footing: str, made_at: datetime) -> None:
        pages = self._pages = _Pages(format="A4")
        for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            pages.add_font(FAMILY, style, FONTS / name)
        self._known = set.intersection(
            *(set(font.cmap) for font in pages.fonts.values() if isinstance(font, TTFFont))
        )
        pages.footing = self._readable(footing)
        pages.set_title(title)
        pages.set_creator("SoulSeer")
        pages.set_creation_date(made_at)
        pages.set_margins(16, 16)
        pages.set_auto_page_break(True, margin=18)
        pages.add_page()
        self._write(title, TITLE, "B")

    def heading(self, text: str) -> None:
        """A heading that stays with what follows it."""
        if self._pages.will_page_break(24):
            self._pages.add_page()
        self._pages.ln(4)
        self._write(text, HEAD, "B")

    def paragraph(self, text: str, *, small: bool = False) -> None:
        self._write(text, SMALL if small else TEXT, "")

    def facts(self, rows: Iterable[tuple[str, str]]) -> None:
        """Names and values, one a line."""
        self.table(None, list(rows), widths=(2, 5))

    def table(
        self, headings: Sequence[str] | None, rows: Sequence[Sequence[str]], widths: Sequence[int]
    ) -> None:
        """Rows of text; the headings come again on every page. ``widths`` are relative."""
        self._pages.set_font(FAMILY, size=SMALL)
        with self._pages.table(
            col_widths=tuple(widths),
            first_row_as_headings=headings is not None,
            borders_layout="HORIZONTAL_LINES",
            line_height=SMALL * 0.5,
            text_align="LEFT",
            padding=0.8,
        ) as table:
            for cells in ([headings] if headings is not None else []) + list(rows):
                line = table.row()
                for cell in cells:
                    line.cell(self._readable(cell))
        self._pages.ln(2)

    def content(self) -> bytes:
        """The document as bytes."""
        written = io.BytesIO()
        self._pages.output(written)
        return written.getvalue()

    def _write(self, text: str, size: float, style: str) -> None:
        self._pages.set_font(FAMILY, style=style, size=size)
        self._pages.multi_cell(
            0, size * LINE * 0.3528, self._readable(text), align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self._pages.ln(1)

    def _readable(self, text: str) -> str:
        return "".join(
            letter if ord(letter) in self._known or letter == "\n" else f"[U+{ord(letter):04X}]"
            for letter in text
        )
