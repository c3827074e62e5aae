"""Pictures that strangers send: told by their content, decoded within bounds, and written anew without their metadata."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import IO

from PIL import Image, ImageOps

from soulseer.domain.errors import InvalidInput

# What is read at all; a GIF's or WebP's first picture counts.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
WEBP_QUALITY = 82
CONTENT_TYPE = "image/webp"
# Whatever a decoder raises over bytes that were made to hurt it.
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error,
           MemoryError, OverflowError, ZeroDivisionError)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A picture as we keep it: WebP, upright, without metadata."""

    content: bytes
    width: int
    height: int


def rewrite(stream: IO[bytes], *, longest_side: int, most_pixels: int) -> Picture:
    """Decode a picture of FORMATS and write it anew, at most ``longest_side`` pixels wide or high.

    What it is is told by its content alone. Raises InvalidInput (field ``image``) for what is no such picture, is broken,
    or holds more than ``most_pixels``, which is judged by its header before anything is decoded.
    """
    try:
        with warnings.catch_warnings(), Image.open(stream, formats=FORMATS) as image:
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return _rewritten(image, longest_side, most_pixels)
    except Image.UnidentifiedImageError as error:
        raise InvalidInput("image", "Send a JPEG, PNG, WebP or GIF picture.", reason="type") from error
    except Image.DecompressionBombError as error:
        raise _too_many(most_pixels) from error
    except _BROKEN as error:
        raise InvalidInput("image", "This picture is broken and cannot be read.", reason="broken") from error


def _too_many(most_pixels: int) -> InvalidInput:
    words = f"At most {most_pixels // 1_000_000} megapixels; make the picture smaller first."
    return InvalidInput("image", words, reason="pixels")


def _rewritten(image: Image.Image, longest_side: int, most_pixels: int) -> Picture:
    if image.width * image.height > most_pixels:
        raise _too_many(most_pixels)
    # A JPEG can be decoded smaller at once, which saves most of the memory.
    image.draft("RGB", (longest_side, longest_side))
    image.seek(0)
    # Here everything is decoded; only pixels go on.
    upright = ImageOps.exif_transpose(image)
    has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    plain = upright.convert("RGBA" if has_alpha else "RGB")
    plain.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    bare = Image.new(plain.mode, plain.size)
    bare.paste(plain)
    written = io.BytesIO()
    bare.save(written, "WEBP", quality=WEBP_QUALITY, method=2)
    return Picture(written.getvalue(), bare.width, bare.height)
