"""The servers that are measured, and how each is started: on 127.0.0.1, a process of its own."""
import contextlib
import dataclasses
import os
import pathlib
import resource
import signal
import socket
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ALL = frozenset({"http", "websocket", "tls", "deflate"})


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    command: tuple[str, ...]  # {programs}, {port}, {threads} and {folder}, a new one, are filled in
    offers: frozenset[str] = ALL
    most_threads: int | None = None


SERVERS = [
    Server("kvolt", ("{programs}/kvolt_bench_server", "{port}", "{threads}")),
    Server("floor", ("{programs}/kvolt_bench_floor", "{port}"), frozenset({"http", "websocket"}), most_threads=1),
    Server("beast", ("{programs}/kvolt_bench_beast", "{port}", "{threads}")),
    Server("websocketpp", ("{programs}/kvolt_bench_websocketpp", "{port}", "{threads}"),
           frozenset({"websocket", "tls"})),
    Server("gorilla", ("{programs}/kvolt_bench_gorilla", "{port}")),
    Server("ws", ("node", str(HERE / "peers/ws.js"), "{port}"), most_threads=1),
    Server("nginx", ("nginx", "-p", "{folder}", "-c", "{folder}/nginx.conf"), frozenset({"http"})),
]


def certificate(folder: pathlib.Path) -> list[str]:
    """A self-signed one and its key."""
    files = [str(folder / "certificate.pem"), str(folder / "key.pem")]
    if not pathlib.Path(files[0]).exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-out", files[0], "-keyout", files[1]],
                       check=True, capture_output=True)
    return files


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def family(pid: int) -> list[int]:
    """A process and all below it."""
    pids = [pid]
    for parent in pids:
        for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            pids += map(int, task.read_text().split())
    return pids


def await_start(process: subprocess.Popen, port: int) -> None:
    give_up = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise RuntimeError("the server does not start")


def prepare(cores: set[int]) -> None:
    """In the server's process: its cores, and as many descriptors as it may have."""
    os.sched_setaffinity(0, cores)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextlib.contextmanager
def running(server: Server, threads: int, cores: set[int], tls: bool, programs: pathlib.Path):
    """Start it on these cores; gives its port and process ids, and ends it afterwards."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        conf = (HERE / "peers/nginx.conf").read_text()
        (folder / "nginx.conf").write_text(conf.replace("@PORT@", str(port)).replace("@THREADS@", str(threads)))
        words = {"programs": programs, "port": port, "threads": threads, "folder": folder}
        command = [word.format(**words) for word in server.command] + (certificate(folder) if tls else [])
        with open(folder / "log", "w+") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True,
                                       env=os.environ | {"GOMAXPROCS": str(threads)},
                                       preexec_fn=lambda: prepare(cores))
            try:
                await_start(process, port)
                yield port, family(process.pid)
            except RuntimeError as error:
                log.seek(0)
                raise RuntimeError(f"{error} {log.read()}") from error
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(3)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
