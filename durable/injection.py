"""Named points that every commit and every outward call passes, so that a test can crash or count there.

In production nothing is installed and `reach` costs one comparison.
"""

from collections.abc import Callable

Hook = Callable[[str], None]
_hook: Hook | None = None


def install(hook: Hook | None) -> None:
    """Call `hook` with the name of every point from now on; None removes it."""
    global _hook  # noqa: PLW0603 - one process, one hook: a crash is not a matter of this or that object
    _hook = hook


def reach(point: str) -> None:
    """Say that the code has come to `point`, e.g. `commit.before journal` or `call.after post_message`."""
    if _hook is not None:
        _hook(point)
