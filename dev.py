#!/usr/bin/env python3
"""Everything that starts, tests and checks SoulSeer on a machine with nothing but Python 3.11 or later.

python3 dev.py run | test [pytest arguments] | lint | setup | assets | lock
"""

# This file stays readable to old Pythons, so that they can say what is wrong; the work is in soulseer/sandbox/.
import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036 - it is what this file is for
        found = " ".join((sys.version.split()[0], sys.executable))
        sys.stderr.write("SoulSeer needs Python 3.11 or later, and this is " + found + "\n")
        sys.stderr.write("Name a newer one: make run PYTHON=python3.12, or python3.12 dev.py run\n")
        sys.exit(1)
    from soulseer.sandbox.bootstrap import main

    sys.exit(main(sys.argv[1:]))
