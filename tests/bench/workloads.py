"""What the servers are asked to do."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    mode: str  # of kvolt_load
    path: str
    units: str = "messages"  # what is counted
    figure: str = "rate"  # what it is about; see Figure in bench.py
    needs: str = "websocket"  # of the server
    options: dict[str, int | float | str] = dataclasses.field(default_factory=dict)
    threads: bool = False  # also measured with more than one


def http(name: str, title: str, path: str, body: str, **options) -> Workload:
    return Workload(name, title, "http", path, units="responses", needs="http",
                    options={"connections": 64, "body": body, **options}, threads=name == "plaintext")


def echo(name: str, title: str, needs: str = "websocket", **options) -> Workload:
    return Workload(name, title, "echo", "/echo", needs=needs, options=options, threads=name == "echo64")


def broadcast(name: str, title: str, path: str = "/chat", figure: str = "rate", needs: str = "websocket",
              **options) -> Workload:
    return Workload(name, title, "broadcast", path, units="deliveries", figure=figure, needs=needs, options=options,
                    threads=name in ("fan64", "busy1000"))


WORKLOADS = [
    http("plaintext", "HTTP plaintext", "/plaintext", "Hello, World!"),
    http("json", "HTTP JSON", "/json", '{"message":"Hello, World!"}'),
    http("parameter", "HTTP route with a parameter", "/users/7", "7"),
    http("pipelined", "HTTP plaintext, 16 pipelined", "/plaintext", "Hello, World!", depth=16),
    echo("echo64", "echo of 64 bytes", connections=50, size=64),
    echo("echo16k", "echo of 16 KiB", connections=20, size=16384),
    broadcast("fan64", "64 bytes to 500", connections=500, senders=4, size=64),
    broadcast("fan1k", "1 KiB to 500", connections=500, senders=4, size=1024),
    broadcast("busy100", "50 of 100 talk", connections=100, senders=50, depth=4, size=64),
    broadcast("busy1000", "100 of 1,000 talk", connections=1000, senders=100, depth=2, size=64),
    broadcast("steady", "500 messages a second to 200", figure="latency", connections=200, senders=10, rate=500,
              size=128),
    broadcast("rooms", "1,000 rooms of 10", path="/rooms/{}", connections=10000, rooms=1000, senders=1000, size=64),
    echo("tls_echo64", "TLS, echo of 64 bytes", needs="tls", connections=50, size=64),
    broadcast("tls_fan64", "TLS, 64 bytes to 500", needs="tls", connections=500, senders=4, size=64),
    broadcast("deflate_fan1k", "compressed, 1 KiB to 500", path="/deflate/chat", needs="deflate", connections=500,
              senders=4, size=1024),
    Workload("churn", "connect and close", "churn", "/echo", units="connections"),
    Workload("idle", "10,000 idle WebSockets", "idle", "/chat", figure="memory", options={"connections": 10000}),
    Workload("idle_http", "10,000 idle HTTP connections", "idle_http", "/plaintext", figure="memory", needs="http",
             options={"connections": 10000}),
]
