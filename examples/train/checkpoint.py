# SPDX-License-Identifier: Apache-2.0
"""Checkpoints that a kill at any moment cannot spoil.

A checkpoint is written under a temporary name, synced and renamed; its name carries the step and the
hash of its content. The newest one whose hash is right wins; a damaged one is reported and passed over.
"""
import hashlib
import io
import json
import os
import re
from pathlib import Path

import numpy as np

NAME = re.compile(r"step-(\d{8})-([0-9a-f]{16})\.npz")
KEPT = 2  # the newest, and one before it in case the disk spoils the newest


def _sync_folder(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _complete(folder):
    """(step, hash, path) of every checkpoint that was renamed into place, newest first."""
    found = [(NAME.fullmatch(path.name), path) for path in Path(folder).iterdir()]
    return sorted(((int(match[1]), match[2], path) for match, path in found if match), reverse=True)


def save(folder, step, state, arrays):
    """`state` is plain data, `arrays` name → array; both come back from newest()."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    np.savez(content, state=np.frombuffer(json.dumps(state).encode(), np.uint8), **arrays)
    data = content.getvalue()
    temporary = folder / f".writing-{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path = folder / f"step-{step:08}-{hashlib.sha256(data).hexdigest()[:16]}.npz"
    os.rename(temporary, path)
    _sync_folder(folder)
    for _, _, old in _complete(folder)[KEPT:]:
        old.unlink()
    return path


def newest(folder):
    """(state, arrays) of the newest complete checkpoint, or None."""
    if not Path(folder).is_dir():
        return None
    for _, digest, path in _complete(folder):
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest()[:16] != digest:
            print(f"checkpoint {path.name} is damaged, trying the one before it", flush=True)
            continue
        with np.load(io.BytesIO(data)) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return json.loads(arrays.pop("state").tobytes()), arrays
    return None
