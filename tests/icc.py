"""An ICC profile made from its definition: wide primaries and gamma 2.2, as Adobe RGB (1998)."""

from __future__ import annotations

import struct

D50_PRIMARIES = {
    b"rXYZ": (0.60974, 0.31111, 0.01947),
    b"gXYZ": (0.20528, 0.62567, 0.06087),
    b"bXYZ": (0.14919, 0.06322, 0.74457),
}
GAMMA = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563)  # 563 / 256 = 2.2
D50 = (0.9642, 1.0, 0.8249)


def wide_profile(name: str = "Wide RGB") -> bytes:
    """Return an ICC version 2 display profile that is not sRGB."""
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(8 + 3 + 67),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz(D50),
        **{key: _xyz(value) for key, value in D50_PRIMARIES.items()},
        **{
            key: b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) for key in (b"rTRC", b"gTRC", b"bTRC")
        },
    }
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for key, data in tags.items():
        data += bytes(-len(data) % 4)
        table += struct.pack(">4sII", key, at + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s12s4s4sI4s4sQI12s",
        at + len(body), b"none", 0x02200000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp",
        b"APPL", 0, b"none", b"none", 0, 0, b"".join(map(_fixed, D50)),
    )  # fmt: skip
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, values))
