#!/usr/bin/env python3
"""Count, by callgrind, the instructions that single parts of the library take: micro.py PROGRAM [--record]

PROGRAM is kvolt_micro of a release build. The figures are compared with those in micro.json, which are kept for each
compiler; it is a failure if one has grown by more than 5 %. With --record they are written there instead.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

KEPT = pathlib.Path(__file__).with_suffix(".json")
MOST_GROWTH = 0.05
SKIPPED = 77
# Where memcpy is one instruction a byte, callgrind counts the bytes.
SAME_MEMCPY = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS,-FSRM"}


def counted(file: pathlib.Path) -> int:
    """The instructions in one of callgrind's dumps."""
    for line in file.read_text().splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise ValueError(f"{file}: no total")


def measure(program: str) -> tuple[str, dict[str, float]]:
    """What the program was compiled with, and the instructions per unit of each part."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "callgrind"
        valgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=measured",
                    "--dump-after=measured"]
        run = subprocess.run([*valgrind, program], env=os.environ | SAME_MEMCPY, capture_output=True, text=True)
        if run.returncode != 0:
            sys.exit(run.stdout + run.stderr)
        compiler, *lines = run.stdout.splitlines()
        figures = {}
        for number, line in enumerate(lines, 1):
            name, units = line.rsplit(" ", 1)
            figures[name] = round(counted(pathlib.Path(f"{out}.{number}")) / int(units), 1)
        return compiler, figures


def growth(now: float, before: float | None) -> float:
    return now / before - 1 if before else 0


def table(figures: dict[str, float], kept: dict[str, float]) -> str:
    lines = [f"{'instructions for':48}{'now':>10}{'kept':>10}"]
    for name, now in figures.items():
        before = kept.get(name)
        change = growth(now, before)
        told = f"{change:+8.1%}" if abs(change) > 0.0005 else ""
        lines.append(f"{name:48}{now:10.1f}{before if before else '-':>10}{told}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--record", action="store_true", help="keep these figures")
    arguments = parser.parse_args()

    if shutil.which("valgrind") is None:
        print("skipped: there is no valgrind to count with")
        return SKIPPED
    everyones = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    compiler, figures = measure(arguments.program)
    kept = everyones.get(compiler, {})
    print(compiler)
    print(table(figures, kept))
    if arguments.record:
        KEPT.write_text(json.dumps({**everyones, compiler: figures}, indent=2) + "\n")
        return 0
    again = f"keep these by {sys.argv[0]} {arguments.program} --record"
    if not kept:
        print(f"skipped: there are no figures for {compiler}; {again}")
        return SKIPPED
    if kept.keys() != figures.keys():
        print("the parts are others than those in micro.json: " + ", ".join(sorted(kept.keys() ^ figures.keys())))
        print(again)
        return 1
    grown = [name for name, now in figures.items() if growth(now, kept[name]) > MOST_GROWTH]
    for name in grown:
        print(f"more than {MOST_GROWTH:.0%} dearer: {name}")
    if grown:
        print(f"make it cheaper, or, if it is worth that, {again}")
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main())
