"""Waits until it is asked to end, says so, and then hangs until it is asked again."""

import threading

from bot.stopping import Stopping

stopping = Stopping()
stopping.on_stop(lambda: print("asked", flush=True))  # noqa: T201 - how this program answers
print("waiting", flush=True)  # noqa: T201 - how this program answers
stopping.wait()
threading.Event().wait()
