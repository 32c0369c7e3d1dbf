#!/usr/bin/python3
"""An attacker's day: attack_test.py PROGRAM [SECONDS]

Attackers do all that http_abuse.py and websocket_abuse.py hold to a server that has something of everything, beside an
honest client. That one must get every answer, right and soon; what attackers get must be right, too; and when they have
gone, the server must have the memory and descriptors that it had before, and no handler and no member more.

With SECONDS, for so long: rounds with attackers take turns with quiet ones, and the honest client's 99th percentile must
be within twice that of quiet. In quiet rounds they attack another server of the same kind, so that the machine is as
busy: what is measured is what they do to this one. Without, each kind of abuse runs at least once, and no time decides.

By hand: attack_test.py PROGRAM SECONDS KIND... lets only these attack.
"""

import asyncio
import json
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import http_abuse
import websocket_abuse
from honest import Honest
from wire import ABUSES, attack

ROUND = 5  # seconds
SHORT = 8  # seconds of attack in the short form
MOST_GROWTH = 2048  # KiB in use
MOST_RESIDENT_GROWTH = 4096  # KiB, over a long time
SANITIZED = b"__asan_init", b"__tsan_init"


class Server:
    def __init__(self, program, folder, name):
        program, folder = os.path.abspath(program), os.path.join(folder, name)
        os.mkdir(folder)
        self.log = open(pathlib.Path(folder, "log"), "w+")
        self.sanitized = any(name in pathlib.Path(program).read_bytes() for name in SANITIZED)
        (pathlib.Path(folder) / "files").mkdir()
        self.files = {"big.bin": os.urandom(2 << 20), "small.txt": b"small"}
        for name, content in self.files.items():
            pathlib.Path(folder, "files", name).write_bytes(content)
        silence = "60" if self.sanitized else "4"  # the honest client does one thing at a time
        self.process = subprocess.Popen([program, folder + "/files", silence], stdout=subprocess.PIPE, stderr=self.log,
                                        text=True)
        self.port = int(self.process.stdout.readline())

    def resident(self):
        """KiB, with what malloc keeps for later."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        """What it complained of."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
        self.log.seek(0)
        return self.process.wait(), self.log.read()


class Day:
    def __init__(self, server, names, other=None):
        self.server, self.names, self.other = server, names, other or server
        self.honest = Honest(server.port, server.files)
        self.honest.work(lambda: False)
        self.quiet_descriptors = self.settle()
        self.counts = {}

    def count(self):
        return json.loads(self.honest.ask(b"GET /count HTTP/1.1\r\nHost: localhost\r\n\r\n"))

    def memory(self):
        """KiB that the server uses, without what malloc keeps for later."""
        return self.count()["memory"] // 1024

    def settle(self, most=None):
        """Wait until all others have gone: three sockets of the honest client's are left, and a connection for pages."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            count = self.count()
            descriptors = self.server.descriptors()
            if count["handlers"] == 3 and count["members"] == 2 and (most is None or descriptors <= most):
                return descriptors
            self.honest.work(lambda: False)  # who is silent does not stay
        raise AssertionError(f"30 s after the last attack there are {count}, {descriptors} descriptors; before, {most}")

    def work(self, seconds):
        end = time.monotonic() + seconds
        return self.honest.work(lambda: time.monotonic() < end)

    def attacked(self, seconds, server=None):
        """How long the honest client's steps took meanwhile, until the attackers began to leave."""
        port = (server or self.server).port
        command = [sys.executable, __file__, "--attack", str(port), str(seconds), *self.names]
        attackers = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            times = self.work(seconds)
            self.honest.work(lambda: attackers.poll() is None)
            count, wrong = json.loads(attackers.stdout.read())
        finally:
            attackers.kill()
            attackers.communicate()
        for name, number in count.items():
            self.counts[name] = self.counts.get(name, 0) + number
        assert not wrong, "wrong answers:\n" + "\n".join(sorted(set(wrong)))
        return times

    def short(self):
        self.attacked(0)  # so that what is made once has been made
        self.settle(self.quiet_descriptors)
        memory = self.memory()
        compare(self.work(2), self.attacked(SHORT))
        self.come_back(memory)

    def full(self, seconds):
        end = time.monotonic() + seconds
        self.attacked(ROUND)
        self.settle(self.quiet_descriptors)
        memory = self.memory()
        resident, ratios = self.server.resident(), []
        while not ratios or time.monotonic() < end:
            ratios.append(compare(self.attacked(ROUND, self.other), self.attacked(ROUND)))
            self.settle(self.quiet_descriptors)
            print(f"  {self.memory()} KiB in use, {self.server.resident()} resident", flush=True)
        self.come_back(memory)
        assert self.server.sanitized or self.server.resident() <= resident + MOST_RESIDENT_GROWTH, "memory is scattered"
        ratio = statistics.median(ratios)
        print(f"99th percentile: {ratio:.2f} times that of quiet (median of {len(ratios)} rounds)")
        assert ratio <= 2, "the honest client has to wait for attackers"

    def come_back(self, memory):
        descriptors = self.settle(self.quiet_descriptors)
        after = self.memory()
        print(f"memory: {memory} KiB before, {after} KiB after; descriptors: {self.quiet_descriptors}, {descriptors};",
              f"{self.honest.retries} retries, slowest step: {self.honest.slowest}; {self.count()}")
        assert self.server.sanitized or after <= memory + MOST_GROWTH, "memory has grown"


def percentile(times, share):
    return times[min(len(times) - 1, int(len(times) * share))] * 1000


def compare(quiet, attacked):
    for what, times in ("quiet", quiet), ("attacked", attacked):
        print(f"{what:>9}: {len(times)} steps, median {percentile(times, 0.5):.2f} ms,",
              f"99th {percentile(times, 0.99):.2f} ms, longest {times[-1] * 1000:.2f} ms", flush=True)
    return percentile(attacked, 0.99) / percentile(quiet, 0.99)


def main():
    program, seconds, *names = sys.argv[1:] + [None] * (3 - len(sys.argv))
    names = names or list(ABUSES)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, folder, "server")
        other = Server(program, folder, "other") if seconds else None
        try:
            day = Day(server, names, other)
            day.full(int(seconds)) if seconds else day.short()
            print(", ".join(f"{name} {count}" for name, count in sorted(day.counts.items())))
            print(f"{len(day.counts)} kinds of abuse, {sum(day.counts.values())} times", flush=True)
            day.honest.close()
        finally:
            if other:
                other.end()
            status, log = server.end()
            print(f"the server ended with {status}", log[-10000:], flush=True)
    sys.exit(status != 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--attack"]:
        os.nice(10)  # as if they were on machines of their own
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        print(json.dumps(asyncio.run(attack(int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))))
    elif len(sys.argv) < 2:
        sys.exit(__doc__)
    else:
        main()
