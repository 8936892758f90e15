"""Random streams: one for each named noise source, so that no two sources ever share a draw."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["stream"]


def stream(seed: int, run_id: str, source: str) -> np.random.Generator:
    """Return the generator of the noise source `source` in run `run_id` under the master `seed`.

    The same three always give the same numbers; any other three give independent ones.
    """
    # lengths keep ("a", "bc") and ("ab", "c") apart
    name = f"{seed}|{len(run_id)}:{run_id}|{len(source)}:{source}"
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
