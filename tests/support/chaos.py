"""How hard the heavy proofs try: short in `make test`, long in `make chaos`, by the same code with larger numbers."""

import os
from collections.abc import Callable
from typing import Any

IS_LONG = "VIGIL_CHAOS" in os.environ
EVERY = 1 if IS_LONG else 3
"""Sweeps over crash points take each one in the long form, every third in the short one."""

Figure = Callable[[str, Any], None]
"""Notes a measured value; `make chaos` prints all of them at its end. Pytest's own fixture `record_property` is one."""


def sized(short: int, long: int) -> int:
    """`short` in `make test`, `long` in `make chaos`."""
    return long if IS_LONG else short
