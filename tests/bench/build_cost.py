"""What the same small program costs to compile with each library: everyone gets what anyone says."""
import dataclasses
import pathlib
import resource
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclasses.dataclass(frozen=True)
class Hub:
    name: str
    source: pathlib.Path
    options: tuple[str, ...]


HUBS = [
    Hub("kvolt", ROOT / "examples/broadcast.cpp", ("-std=c++20", "-I", str(ROOT / "include"))),
    Hub("beast", HERE / "hubs/beast.cpp", ("-std=c++20",)),
    Hub("websocketpp", HERE / "hubs/websocketpp.cpp", ("-std=c++17",)),
]


@dataclasses.dataclass(frozen=True)
class BuildCost:
    lines: int  # that are not empty
    seconds: float  # of CPU time, at -O2
    bytes: int  # of the stripped program


def build_cost(hub: Hub) -> BuildCost:
    lines = sum(1 for line in hub.source.read_text().splitlines() if line.strip())
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "hub"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(["g++", "-O2", "-DNDEBUG", "-s", *hub.options, str(hub.source), "-o", str(program), "-pthread"],
                       check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return BuildCost(lines, seconds, program.stat().st_size)
