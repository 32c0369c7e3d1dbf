#!/usr/bin/env python3
"""Measure servers side by side on this machine: tests/bench/run [OPTION]...

Each round asks every server for the same in turn, each time a process of its own, on cores that it does not share with
the load. The figures are medians of the rounds; CPU is the server's, for each of what is counted.

`*` behind a figure: the load was busier than the server, which can do better. `!`: messages were lost, or connections
closed. `-`: there is no figure, mostly because the server does not offer it.
"""
import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

from build_cost import HUBS, build_cost
from servers import SERVERS, Server, running
from workloads import WORKLOADS, Workload

HERE = pathlib.Path(__file__).resolve().parent
BUSY = 0.9  # of a thread's time, from which on it is the limit


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a workload is about: a field of what kvolt_load prints."""
    field: str
    unit: str  # {units} are those of the workload
    more_is_better: bool
    scale: float = 1


FIGURES = {
    "rate": Figure("rate", "{units} a second", True),
    "latency": Figure("p99_us", "µs at the 99th percentile", False),
    "memory": Figure("bytes_per_connection", "KiB of memory each", False, 1 / 1024),
}


@dataclasses.dataclass(frozen=True)
class Cores:
    server: set[int]
    load: set[int]


def share_cores(threads: int) -> Cores | None:
    """As many for the load as for the server; None if there are too few. With a single core, they share it."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1 and threads == 1:
        return Cores(set(cores), set(cores))
    if len(cores) < 2 * threads:
        return None
    return Cores(set(cores[:threads]), set(cores[threads:2 * threads]))


def small(workload: Workload) -> Workload:
    """The same with so few clients that it takes no time."""
    options = dict(workload.options)
    most = {"connections": 20, "senders": 10, "rooms": 10, "rate": 1000}
    for name, limit in most.items():
        if name in options:
            options[name] = min(options[name], limit)
    return dataclasses.replace(workload, options=options)


def measure(workload: Workload, server: Server, threads: int, cores: Cores, arguments) -> dict[str, float]:
    tls = workload.needs == "tls"
    with running(server, threads, cores.server, tls, arguments.programs) as (port, pids):
        options = workload.options | {"path": workload.path, "threads": threads, "seconds": arguments.seconds,
                                      "warmup": min(0.5, arguments.seconds), "server": ",".join(map(str, pids))}
        flags = ["--tls"] * tls + ["--deflate"] * (workload.needs == "deflate")
        command = [arguments.programs / "kvolt_load", workload.mode, str(port), *flags]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        run = subprocess.run(command, capture_output=True, text=True, timeout=arguments.seconds + 60,
                             preexec_fn=lambda: os.sched_setaffinity(0, cores.load))
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip())
    return json.loads(run.stdout)


@dataclasses.dataclass
class Result:
    workload: str
    server: str
    threads: int
    figures: dict[str, float]  # medians of all that was measured
    least: float  # of what it is about
    most: float
    load_was_limit: bool
    faults: int

    @classmethod
    def of(cls, workload: Workload, server: Server, threads: int, rounds: list[dict[str, float]]) -> "Result":
        figure = FIGURES[workload.figure]
        median = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        values = [one[figure.field] * figure.scale for one in rounds]
        median["value"] = statistics.median(values)
        limit = median.get("load_cpu", 0) > BUSY and median["server_cpu"] < BUSY * threads
        faults = sum(int(one.get(name, 0)) for one in rounds for name in ("missing", "bad", "closed"))
        return cls(workload.name, server.name, threads, median, min(values), max(values), limit, faults)

    def marks(self) -> str:
        return "*" * self.load_was_limit + "!" * (self.faults != 0)


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def title(workload: Workload, threads: int) -> str:
    return workload.title + (f", {threads} threads" if threads > 1 else "")


def table(workload: Workload, threads: int, servers: list[Server], results: dict[str, Result],
          failures: dict[str, str]) -> str:
    figure = FIGURES[workload.figure]
    lines = [f"{title(workload, threads)}: {figure.unit.format(units=workload.units)}",
             f"  {'':12}{'':14}  {'ratio':>6}{'CPU µs':>10}{'p50 µs':>10}{'p99 µs':>10}{'p99.9 µs':>10}"]
    first = next((results[server.name].figures["value"] for server in servers if server.name in results), 0)
    for server in servers:
        if server.name in failures:
            lines.append(f"  {server.name:12}{'-':>14}  {failures[server.name]}")
        if server.name not in results:
            continue
        result = results[server.name]
        value = result.figures["value"]
        line = f"  {server.name:12}{number(value):>14}{result.marks():2}{value / first if first else 0:6.2f}"
        for name in ("cpu_us", "p50_us", "p99_us", "p999_us"):
            line += f"{number(result.figures[name]):>10}" if name in result.figures else ""
        lines.append(line)
    return "\n".join(lines)


def compare(workload: Workload, threads: int, cores: Cores, servers: list[Server],
            arguments) -> tuple[list[Result], bool]:
    """The results, and whether there is nothing wrong with them."""
    rounds: dict[str, list[dict[str, float]]] = {}
    failures: dict[str, str] = {}
    for _, server in itertools.product(range(arguments.rounds), servers):
        if workload.needs not in server.offers or (server.most_threads or threads) < threads:
            continue
        try:
            rounds.setdefault(server.name, []).append(measure(workload, server, threads, cores, arguments))
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            failures[server.name] = str(error)
    results = {server.name: Result.of(workload, server, threads, rounds[server.name])
               for server in servers if rounds.get(server.name) and server.name not in failures}
    print(table(workload, threads, servers, results, failures), flush=True)
    return list(results.values()), not failures and not any(result.faults for result in results.values())


def summary(results: list[Result], servers: list[Server], first: str) -> str:
    """How all compare to the first: above 1 is better than it."""
    lines = [f"\ncompared with {first}; above 1 is better",
             f"{'':36}" + "".join(f"{server.name:>12}" for server in servers)]
    for workload, threads in dict.fromkeys((result.workload, result.threads) for result in results):
        own = {result.server: result for result in results
               if (result.workload, result.threads) == (workload, threads)}
        described = next(known for known in WORKLOADS if known.name == workload)
        line = f"{title(described, threads):36}"
        for server in servers:
            ratio = relative(own.get(server.name), own.get(first), FIGURES[described.figure].more_is_better)
            line += f"{f'{ratio:.2f}' + own[server.name].marks() if ratio else '-':>12}"
        lines.append(line)
    return "\n".join(lines)


def relative(result: Result | None, first: Result | None, more_is_better: bool) -> float | None:
    if result is None or first is None or not result.figures["value"] or not first.figures["value"]:
        return None
    ratio = result.figures["value"] / first.figures["value"]
    return ratio if more_is_better else 1 / ratio


def machine() -> dict[str, str | int]:
    cpus = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")]
    return {"cpu": cpus[0] if cpus else platform.machine(), "cores": len(os.sched_getaffinity(0)),
            "kernel": platform.release()}


def choose(names: str | None, known: list, what: str) -> list:
    if names is None:
        return known
    wanted = names.split(",")
    unknown = set(wanted) - {one.name for one in known}
    if unknown:
        sys.exit(f"no such {what}: {', '.join(sorted(unknown))}; there are: {', '.join(one.name for one in known)}")
    return [one for name in wanted for one in known if one.name == name]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("tests/bench/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join(workload.name for workload in WORKLOADS)
    parser.add_argument("--only", metavar="WORKLOAD,...", help=f"of: {names}")
    names = ", ".join(server.name for server in SERVERS)
    parser.add_argument("--servers", metavar="SERVER,...",
                        help=f"the first is what the others are compared with; of: {names}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--threads", metavar="N,...", default="1,2,4,8",
                        help="of the servers; those for which there are not twice as many cores are left out")
    parser.add_argument("--quick", action="store_true", help="one short round: does it all work?")
    parser.add_argument("--check", action="store_true", help="the same with few clients, and a failure if it does not")
    parser.add_argument("--no-build-cost", action="store_true", help="do not measure how long hubs take to compile")
    parser.add_argument("--json", type=pathlib.Path, help="write all figures there")
    parser.add_argument("--programs", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 0.3
    if arguments.check:
        arguments.rounds, arguments.seconds = 1, 0.05
    return arguments


def main() -> int:
    arguments = parse_arguments()
    servers = choose(arguments.servers, SERVERS, "server")
    workloads = choose(arguments.only, WORKLOADS, "workload")
    if arguments.check:
        workloads = [small(workload) for workload in workloads]
    results: list[Result] = []
    good = True
    wanted = [int(threads) for threads in arguments.threads.split(",")]
    for workload, threads in itertools.product(workloads, wanted):
        cores = share_cores(threads)
        if cores is None or (threads > 1 and not workload.threads):
            continue
        measured, as_wanted = compare(workload, threads, cores, servers, arguments)
        results += measured
        good = good and as_wanted
    print(summary(results, servers, servers[0].name))
    if too_many := [str(threads) for threads in wanted if share_cores(threads) is None]:
        print(f"not measured: {', '.join(too_many)} threads, for which there are not twice as many cores")
    costs = {} if arguments.no_build_cost or arguments.check else {hub.name: build_cost(hub) for hub in HUBS}
    for name, cost in costs.items():
        print(f"a hub of {name}: {cost.lines} lines, {cost.seconds:.1f} s to compile, {cost.bytes / 1024:,.0f} KiB")
    if arguments.json:
        report = {"machine": machine(), "rounds": arguments.rounds, "seconds": arguments.seconds,
                  "results": [dataclasses.asdict(result) for result in results],
                  "hubs": {name: dataclasses.asdict(cost) for name, cost in costs.items()}}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if good or not arguments.check else 1


if __name__ == "__main__":
    sys.exit(main())
