"""What becomes of a picture that somebody sends: told by its content, turned upright, bare of metadata, never a bomb."""

import io

import pytest
from PIL import Image

from soulseer.domain.errors import InvalidInput
from soulseer.domain.policies import FilePolicy
from soulseer.services import files
from tests.texts.pictures import bomb, picture
from tests.texts.swapping import ruled


def rewritten(sent: bytes) -> Image.Image:
    made = files.picture(io.BytesIO(sent))
    assert made.content_type == "image/webp"
    image = Image.open(io.BytesIO(made.content))
    assert (image.format, image.size) == ("WEBP", (made.width, made.height))
    return image


def refusal(sent: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        files.picture(io.BytesIO(sent))
    assert caught.value.field == "image"
    return str(caught.value.extra["reason"])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_the_usual_kinds_are_taken(kind: str) -> None:
    image = rewritten(picture(kind, (3000, 2000)))
    assert image.size == (1600, 1067)
    red, _, blue = image.convert("RGB").getpixel((100, 500))  # type: ignore[misc]
    assert red > 200 > 60 > blue


def test_it_is_turned_upright_and_loses_its_metadata() -> None:
    sent = picture("JPEG", (60, 40), turned=True)
    assert b"SECRET PLACE" in sent
    made = files.picture(io.BytesIO(sent))
    assert (made.width, made.height) == (40, 60)
    assert b"SECRET PLACE" not in made.content
    assert b"EXIF" not in made.content
    red, _, blue = Image.open(io.BytesIO(made.content)).convert("RGB").getpixel((20, 5))  # type: ignore[misc]
    assert red > 200 > 60 > blue


def test_transparency_and_the_first_picture_of_a_film_are_kept() -> None:
    written = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(written, "PNG")
    assert rewritten(written.getvalue()).mode == "RGBA"
    film = io.BytesIO()
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "blue")]
    frames[0].save(film, "GIF", save_all=True, append_images=frames[1:])
    image = rewritten(film.getvalue())
    assert getattr(image, "n_frames", 1) == 1
    assert image.convert("RGB").getpixel((5, 5))[0] > 200  # type: ignore[index]


def test_what_is_no_good_picture_is_refused_and_says_why() -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    written = io.BytesIO()
    Image.new("RGB", (5, 5)).save(written, "BMP")
    assert [refusal(sent) for sent in (b"", svg, b"GIF89a", written.getvalue(), b"%PDF-1.7")] == [
        "empty", "type", "type", "type", "type",
    ]  # fmt: skip
    whole = picture("PNG", (200, 200))
    assert refusal(whole[: len(whole) // 2]) == "broken"
    assert refusal(bomb()) == "pixels"
    assert refusal(bomb(8_000, 5_001)) == "pixels"
    with ruled(files=FilePolicy(most_bytes=1_000)):
        assert refusal(picture("PNG", (900, 900)) + b"\0" * 1_000) == "size"
