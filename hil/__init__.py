"""Lastbrake: a hardware-in-the-loop testbench for booster landing guidance."""

__version__ = "0.1.0"
__all__ = ["__version__"]
