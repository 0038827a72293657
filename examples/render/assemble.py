# SPDX-License-Identifier: Apache-2.0
"""Puts the frames of a finished render side by side: assemble.py FOLDER sheet.png [--columns 4]

Takes every frame-NN.png below FOLDER (one folder per array item is fine), in the order of the names.
"""
import argparse
import struct
import zlib
from pathlib import Path

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB, BIT_DEPTH = 2, 8
GAP = 2  # pixels between frames


def chunks(data):
    at = len(SIGNATURE)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def unfilter(kind, row, above):
    """Undoes the filter of one row of RGB bytes; `left` and `corner` are three bytes, one pixel, back."""
    out = bytearray(row)
    for i, upper in enumerate(above):
        left, corner = (out[i - 3], above[i - 3]) if i >= 3 else (0, 0)
        if kind == 4:
            estimate = left + upper - corner
            apart = abs(estimate - left), abs(estimate - upper), abs(estimate - corner)
            guess = left if apart[0] <= min(apart[1:]) else upper if apart[1] <= apart[2] else corner
        else:
            guess = (0, left, upper, (left + upper) // 2)[kind]
        out[i] = (out[i] + guess) & 255
    return out


def read_png(path):
    data = path.read_bytes()
    if not data.startswith(SIGNATURE):
        raise SystemExit(f"{path} is not a PNG file")
    parts = list(chunks(data))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", parts[0][1])
    if (depth, colour, interlaced) != (BIT_DEPTH, RGB, 0):
        raise SystemExit(f"{path}: only 8-bit RGB without interlacing is read here")
    raw = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
    stride, rows, above = 1 + 3 * width, [], bytes(3 * width)
    for start in range(0, height * stride, stride):
        above = unfilter(raw[start], raw[start + 1 : start + stride], above)
        rows.append(np.frombuffer(above, np.uint8))
    return np.stack(rows).reshape(height, width, 3)


def write_png(path, image):
    height, width, _ = image.shape
    raw = np.zeros((height, 1 + 3 * width), np.uint8)
    raw[:, 1:] = image.reshape(height, 3 * width)
    header = struct.pack(">IIBBBBB", width, height, BIT_DEPTH, RGB, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(SIGNATURE)
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(raw.tobytes(), 9)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


def sheet_of(images, columns):
    height, width, _ = images[0].shape
    rows = -(-len(images) // columns)
    sheet = np.full((rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for index, image in enumerate(images):
        if image.shape != images[0].shape:
            raise SystemExit(f"frame {index} is {image.shape[1]}x{image.shape[0]}, the first is {width}x{height}")
        y, x = index // columns * (height + GAP), index % columns * (width + GAP)
        sheet[y : y + height, x : x + width] = image
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--columns", type=int, default=4)
    options = parser.parse_args()
    frames = sorted(options.folder.rglob("frame-*.png"), key=lambda path: path.name)
    if not frames:
        raise SystemExit(f"no frame-NN.png below {options.folder}: download the outputs of the render first")
    write_png(options.sheet, sheet_of([read_png(path) for path in frames], options.columns))
    print(f"{options.sheet}: {len(frames)} frames")


if __name__ == "__main__":
    main()
