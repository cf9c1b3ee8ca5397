"""``python -m pipelines.cli.warm_up``: compiles the kernels for a first rehearsal once and caches them on disk; see `camera.kernel`."""

from __future__ import annotations

import sys
import time

from pipelines.rehearsal import warm_up


def main() -> int:
    began = time.process_time()
    warm_up()
    print(f"The renderers are compiled ({time.process_time() - began:.1f} s of CPU time).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
