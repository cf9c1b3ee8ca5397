"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import platform
import resource
import sys

from bench import LONG, QUICK, THREADS, Row, Scale, discover

HEADER = ("what", "ours ms", "reference ms", "ratio", "agreement", "target", "met")


def cells(row: Row) -> tuple[str, ...]:
    ratio = "" if row.ratio is None else f"{row.ratio:.1f}x"
    reference = "" if row.reference_ms is None else f"{row.reference_ms:.1f}"
    met = {None: "", True: "yes", False: "NO"}[row.met]
    return row.what, f"{row.ours_ms:.2f}", reference, ratio, row.agreement, row.target, met


def table(rows: list[Row]) -> str:
    lines = [HEADER, *map(cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def main(arguments: list[str] | None = None) -> int:
    subjects = discover()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Times every fast path in one run.")
    quick = [name for name in subjects if name not in LONG]
    parser.add_argument("names", nargs="*", help=f"subjects; by default {', '.join(quick)}")
    long = f"also those that take minutes, and otherwise run only when named: {', '.join(sorted(LONG))}"
    parser.add_argument("--all", action="store_true", help=long)
    parser.add_argument("--quick", action="store_true", help="small pictures, few rounds")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(subjects))
    if unknown:
        parser.error(f"unknown subject {unknown[0]!r}; known are {', '.join(subjects)}")
    scale = QUICK if options.quick else Scale()
    print(f"{platform.machine()}, {THREADS} cores, {scale.width} x {scale.height}; frames drawn by {THREADS} threads")
    rows: list[Row] = []
    try:
        for name in options.names or (subjects if options.all else quick):
            rows += subjects[name](scale)
    finally:
        print(table(rows))
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB (with torch and references)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
