"""Make the incidents of a benchmark: python -m tests.benchmarks.make ROWS VARIANT FILE.csv [FILES].

`python -m tests.benchmarks` makes its own; this is for trying a configuration of your own on as many rows as you like.
Nothing in them ever happened.
"""

import sys
from pathlib import Path

from tests.benchmarks.making import write_incidents

AREAS = Path(__file__).parents[2] / "data" / "sample"

if __name__ == "__main__":
    rows, variant, target, *files = sys.argv[1:]
    for path in write_incidents(
        Path(target), rows=int(rows), variant=variant, areas=AREAS, files=int(files[0]) if files else 1
    ):
        print(path)
