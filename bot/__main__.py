"""`python -m bot`: the one place that reads the environment."""

import gc
import os
import sys
from pathlib import Path

from bot.cli import main

if __name__ == "__main__":
    gc.set_threshold(10_000)  # after each 700 new objects, as is the default, is a tenth of the time a start takes
    sys.exit(main(sys.argv[1:], dict(os.environ), Path(".env")))
