"""The two C extension modules; everything else about the package is in pyproject.toml."""

from setuptools import setup

setup(cffi_modules=["hil/kernel/native_build.py:kernel", "hil/kernel/native_build.py:firmware"])
