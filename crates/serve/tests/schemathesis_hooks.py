"""Pictures for schemathesis, which would send any bytes as one; docs/serve.md has the command."""

import struct
import zlib

import schemathesis
from hypothesis import strategies


def png(width: int, height: int, color: bytes) -> bytes:
    """A PNG of one color, in RGB of 8 bits."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + color * width) * height
    pixels = zlib.compress(rows)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


side = strategies.integers(1, 300)
color = strategies.binary(min_size=3, max_size=3)
pictures = strategies.builds(png, side, side, color)

# The content types of a body that is a picture, and of a picture in a form.
for media in ["image/*", "image/png", "image/jpeg", "application/octet-stream"]:
    schemathesis.openapi.media_type(media, pictures)
