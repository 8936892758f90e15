"""Cases that tests of several rooms fly, as their files have them."""

from __future__ import annotations

from typing import Final

__all__ = ["BURNING", "TOO_SHORT"]

TOO_SHORT: Final = """
vehicle = "zq3_class"
description = "Too short to land."
time_limit_s = 1.0
[initial]
pos_pad_m = [0.0, 0.0, 3000.0]
vel_pad_mps = [0.0, 0.0, -300.0]
"""
"""One second, in which nobody lands: it fails."""

BURNING: Final = """
vehicle = "zq3_class"
description = "Burning soon after it begins, far above the ground."
time_limit_s = 60.0
[initial]
pos_pad_m = [0.0, 0.0, 9000.0]
vel_pad_mps = [0.0, 0.0, -300.0]
[ignition]
forced_at_s = 0.5
"""
"""Under thrust from half a second on, for as long as a test on the wall clock needs."""
