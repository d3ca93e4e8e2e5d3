"""Print the simulations of docs/methods.md: `python -m tests.simulations change [runs]`, hotspots or scan."""

import sys

from tests.simulations import change, hotspots, scan

STUDIES = {"change": change.main, "hotspots": hotspots.main, "scan": scan.main}


def main() -> None:
    """Run one study."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in STUDIES:
        sys.exit(f"usage: python -m tests.simulations {{{','.join(STUDIES)}}} [runs]")
    STUDIES[name](int(sys.argv[2]) if len(sys.argv) > 2 else 200)


main()
