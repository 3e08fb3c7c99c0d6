"""`python -m beholder` is the command `beholder`."""

import sys

from beholder.cli import main

if __name__ == "__main__":
    sys.exit(main())
