"""`coach serve` on the port in PORT, as it is."""

import os
import sys

from coach.__main__ import main

if __name__ == "__main__":
    sys.argv = ["coach", "serve", "--port", os.environ["PORT"]]
    main()
