#!/usr/bin/env python3
"""Which room a header may include: rooms_test.py INCLUDE_FOLDER

The rooms of kvolt/detail/ are listed in its README.md from the ground up. A header includes its own room and those above
it in the list. No room has more headers than fit, and none is empty or missing in the list.
"""
import pathlib
import re
import sys

MOST_HEADERS = 25


def main() -> int:
    detail = pathlib.Path(sys.argv[1]) / "kvolt/detail"
    rooms = re.findall(r"^\| `(\w+)/` \|", (detail / "README.md").read_text(), re.MULTILINE)
    faults = []
    folders = {path.name for path in detail.iterdir() if path.is_dir()}
    if folders != set(rooms):
        faults.append(f"README.md lists other rooms than there are: {', '.join(sorted(folders ^ set(rooms)))}")
    faults += [f"{path.name}: in no room" for path in detail.glob("*.hpp")]
    arrows = 0
    for place, room in enumerate(rooms):
        headers = sorted((detail / room).rglob("*.hpp"))
        if not 0 < len(headers) <= MOST_HEADERS:
            faults.append(f"{room}/: {len(headers)} headers")
        for header in headers:
            for other in re.findall(r"^#include <kvolt/detail/(\w+)/", header.read_text(), re.MULTILINE):
                arrows += 1
                if other not in rooms[:place + 1]:
                    faults.append(f"{room}/{header.name} includes {other}/")
    print(*faults, f"{len(rooms)} rooms, {arrows} arrows, {len(faults)} faults", sep="\n")
    return 1 if faults or not arrows else 0


if __name__ == "__main__":
    sys.exit(main())
