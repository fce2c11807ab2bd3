"""`python -m bot`: the one place that reads the environment."""

import os
import sys
from pathlib import Path

from bot.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], dict(os.environ), Path(".env")))
