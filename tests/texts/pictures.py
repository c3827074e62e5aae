"""Pictures to send, good and bad."""

import io
import struct
import zlib

from PIL import Image

ORIENTATION = 0x0112


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), *, turned: bool = False) -> bytes:
    """A picture whose left half is red; ``turned``: its EXIF says to turn it by 90 degrees and where it was taken."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1]))
    options = {}
    if turned:
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        exif[0x010E] = "SECRET PLACE"
        options["exif"] = exif
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A small PNG that says it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 10_000))
        + chunk(b"IEND", b"")
    )
