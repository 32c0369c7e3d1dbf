#!/usr/bin/env python3
"""What the text of the headers must keep to, whatever a compiler says: text_test.py INCLUDE_FOLDER BOOST_FOLDER

No private header of Boost and nothing of its private namespaces, no header that stands for a whole part of it, Beast in
one header alone, and no macros but those that the documentation names.
"""
import pathlib
import re
import sys

BEAST = "kvolt/detail/http/beast.hpp"
MACROS = re.compile(r"KVOLT_(VERSION|VERSION_MAJOR|VERSION_MINOR|VERSION_PATCH|INLINE)$")
PRIVATE = {"detail", "impl", "aux_"}


def code(text: str) -> str:
    """Without comments."""
    return re.sub(r"//.*", "", text)


def faults(name: str, text: str, boost: pathlib.Path):
    for header in re.findall(r'^\s*#\s*include\s*[<"](boost/[^>"]*)[>"]', text, re.MULTILINE):
        path = pathlib.PurePosixPath(header)
        if PRIVATE & set(path.parts):
            yield f"{header} is private"
        if (boost / path.with_suffix("")).is_dir():
            yield f"{header} includes a whole part of Boost"
        if header.startswith("boost/beast") and name != BEAST:
            yield f"{header}: only {BEAST} includes Beast"
    for private in re.findall(r"boost(?:::\w+)*::detail\b", text):
        yield f"{private} is private"
    if name != BEAST and "boost::beast" in text:
        yield f"boost::beast: only {BEAST} knows Beast"
    guard = re.sub(r"\W", "_", name).upper()
    for macro in re.findall(r"^\s*#\s*define\s+(\w+)", text, re.MULTILINE):
        if macro != guard and not MACROS.match(macro):
            yield f"{macro}: a macro of its own"


def main() -> int:
    include, boost = map(pathlib.Path, sys.argv[1:])
    headers = sorted(include.rglob("*.hpp"))
    found = 0
    for header in headers:
        name = header.relative_to(include).as_posix()
        for fault in faults(name, code(header.read_text()), boost):
            print(f"{name}: {fault}")
            found += 1
    print(f"{len(headers)} headers, {found} faults")
    return 1 if found or not headers or not (boost / "boost/asio").is_dir() else 0


if __name__ == "__main__":
    sys.exit(main())
