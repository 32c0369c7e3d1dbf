"""What attackers do with HTTP: heads, bodies, answers, places."""

import asyncio
import random

from wire import abuse, garbage, request

MIB = 1 << 20


# Heads

@abuse
async def slow_head(net):
    wire = await net.connect()
    await wire.send_slowly(request("/", "X-Slow: " + "x" * 100))
    net.check(await wire.read(1), 408)


@abuse
async def slow_head_of_many(net):
    wires = await net.connect_all(20)
    for byte in b"GET / HTTP/1.1\r\n":
        for wire in wires:
            await wire.send(bytes([byte]))
        await asyncio.sleep(0.1)


@abuse
async def endless_field(net):
    wire, _ = await net.ask(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * MIB, 431)
    await wire.send(b"x" * MIB)


@abuse
async def too_many_fields(net):
    await net.ask(request("/", *(f"A{i}: b" for i in range(500))), 431)


@abuse
async def empty_lines(net):
    wire = await net.connect()
    for _ in range(8):
        await wire.send(b"\r\n" * 65536)
    net.check(await wire.read(1), 400, 431, 408)


@abuse
async def garbage_bytes(net):
    for _ in range(10):
        await net.ask(garbage(random.randrange(1, 5000)) + b"\r\n\r\n", 400, 408, 431, 414, 505, seconds=0.3)


@abuse
async def nul_bytes(net):
    await net.ask(b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400)
    await net.ask(request("/", "X-Nul: a\0b"), 400)
    await net.ask(request("/%00"), 400, 404)


@abuse
async def pipeline_unread(net):
    wire = await net.connect(receive_buffer=4096)
    for _ in range(20):
        await wire.send(request("/text") * 500, patience=0.1)
    await asyncio.sleep(0.5)


@abuse
async def pipeline_read(net):
    wire = await net.connect()
    _, answers = await asyncio.gather(wire.send(request("/") * 3000, patience=2), wire.read(2))
    if answers.count(b"HTTP/1.1 ") != answers.count(b"HTTP/1.1 200 OK"):
        net.wrong.append("pipeline_read: not every answer is 200")


@abuse
async def long_request_line(net):
    await net.ask(b"GET /" + b"a" * MIB, 414, 431)


@abuse
async def http_0_9(net):
    await net.ask(b"GET /\r\n\r\n", 400, 505)


@abuse
async def http_2_preface(net):
    await net.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9), 400, 505)


@abuse
async def tls_hello(net):
    await net.ask(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + garbage(512), 400, 408, 431)


@abuse
async def smuggling(net):
    for fields in (("Content-Length: 5", "Content-Length: 6"), ("Content-Length: 5", "Transfer-Encoding: chunked"),
                   ("Transfer-Encoding: chunked, identity",), ("Transfer-Encoding: xchunked",),
                   ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), ("Content-Length: +5",),
                   ("Content-Length : 5",), ("X: a", " folded: b"), ("Host: other",)):
        await net.ask(request("/body", *fields, method="POST", body=b"0\r\n\r\nGET /big HTTP/1.1\r\n\r\n"), 400, 501)


@abuse
async def unknown_methods(net):
    wire = await net.connect()
    for method in ("TRACE", "CONNECT", "BREW", "X" * 100, "get"):
        await wire.send(request("/", method=method))
        net.check(await wire.read(0.5, until=b"\r\n\r\n"), 400, 405, 501)


@abuse
async def climbing_paths(net):
    for path in ("/files/../../../../etc/passwd", "/files/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/files/..%2f..%2fetc/passwd",
                 "/files//etc/passwd", "/files/.%00./etc/passwd"):
        _, answer = await net.ask(request(path, "Connection: close"), 400, 404)
        if b"root:" in answer:
            net.wrong.append(f"climbing_paths: {path} is served")


@abuse
async def silent_many(net):
    await net.connect_all(40)
    await asyncio.sleep(1)


@abuse
async def half_close_before_request(net):
    for wire in await net.connect_all(10):
        wire.half_close()
        if not await wire.ended(3):
            net.wrong.append("half_close_before_request: not closed")


@abuse
async def half_close_after_request(net):
    wire = await net.connect()
    await wire.send(request("/"))
    wire.half_close()
    net.check(await wire.read(3), 200)


@abuse
async def idle_after_answer(net):
    wire, _ = await net.ask(request("/"), 200)
    if not await wire.ended(6):
        net.wrong.append("idle_after_answer: not closed")


# Bodies

@abuse
async def slow_body(net):
    wire = await net.connect()
    await wire.send(request("/body", "Content-Length: 100000", method="POST"))
    await wire.send_slowly(b"x" * 30)
    net.check(await wire.read(1), 408)


@abuse
async def slow_upload(net):
    wire = await net.connect()
    await wire.send(request("/upload", "Content-Length: 10000000000", method="POST"))
    await wire.send_slowly(b"x" * 30)
    net.check(await wire.read(1), 408)


@abuse
async def promised_bodies(net):
    for wire in await net.connect_all(20):
        await wire.send(request("/body", "Content-Length: 1048575", method="POST", body=b"x"))
    await asyncio.sleep(1)


@abuse
async def bodies_less_one_byte(net):
    for wire in await net.connect_all(20):
        await wire.send(request("/body", "Content-Length: 1048576", method="POST", body=b"x" * (MIB - 1)), 1)
    await asyncio.sleep(0.5)


@abuse
async def too_long_body(net):
    await net.ask(request("/body", "Content-Length: 99999999999", method="POST", body=b"x" * MIB), 413)
    await net.ask(request("/body", "Content-Length: 99999999999999999999999", method="POST"), 400, 413)
    await net.ask(request("/body", "Transfer-Encoding: chunked", method="POST",
                          body=(b"10000\r\n" + b"x" * 65536 + b"\r\n") * 20), 413)


@abuse
async def tiny_chunks(net):
    wire = await net.connect()
    body = b"1\r\nx\r\n" * 50000 + b"0\r\n\r\n"
    await wire.send(request("/body", "Transfer-Encoding: chunked", method="POST", body=body), 3)
    net.check(await wire.read(3, until=b"\r\n\r\n"), 200, 400, 408, 413)


@abuse
async def endless_chunk_extension(net):
    await net.ask(request("/body", "Transfer-Encoding: chunked", method="POST", body=b"1;x=" + b"x" * MIB), 400, 413, 431)


@abuse
async def endless_trailer(net):
    await net.ask(request("/body", "Transfer-Encoding: chunked", method="POST",
                          body=b"0\r\n" + b"X-Trailer: x\r\n" * 50000), 400, 413, 431)


@abuse
async def bad_chunks(net):
    for chunk in (b"ffffffffffffffffff\r\n", b"-1\r\n", b"x\r\n", b"1\r\nxx\r\n", b"1\nx\n0\n\n"):
        await net.ask(request("/body", "Transfer-Encoding: chunked", method="POST", body=chunk), 400, 413, 408)


@abuse
async def body_to_who_refuses(net):
    for _ in range(5):
        await net.ask(request("/members/photo", "Content-Length: 1048576", method="POST", body=b"x" * 500000), 401)


@abuse
async def expect_and_silence(net):
    for wire in await net.connect_all(10):
        await wire.send(request("/body", "Content-Length: 100000", "Expect: 100-continue", method="POST"))
    await net.ask(request("/members/x", "Content-Length: 100000", "Expect: 100-continue", method="POST"), 401)
    await net.ask(request("/body", "Content-Length: 5", "Expect: magic", method="POST"), 417)
    await asyncio.sleep(1)


@abuse
async def reset_in_body(net):
    for wire in await net.connect_all(20):
        path = random.choice(("/body", "/upload", "/members/x"))
        await wire.send(request(path, "Content-Length: 1048576", method="POST", body=b"x" * random.randrange(300000)), 1)
        wire.reset()


@abuse
async def half_close_in_body(net):
    for path in ("/body", "/upload"):
        wire = await net.connect()
        await wire.send(request(path, "Content-Length: 1000", method="POST", body=b"x" * 500))
        wire.half_close()
        if not await wire.ended(3):
            net.wrong.append("half_close_in_body: not closed")


# Answers

@abuse
async def big_answers_unread(net):
    for wire in await net.connect_all(10, receive_buffer=4096):
        await wire.send(request(random.choice(("/big", "/files/big.bin", "/stream"))))
    await asyncio.sleep(3)


@abuse
async def slow_reader(net):
    wire = await net.connect(receive_buffer=4096)
    await wire.send(request("/files/big.bin"))
    for _ in range(20):
        await wire.read_some(1)
        await asyncio.sleep(0.1)


@abuse
async def many_ranges(net):
    ranges = ",".join(f"{i}-{i + 500000}" for i in range(600))
    wire, answer = await net.ask(request("/files/big.bin", "Range: bytes=" + ranges), 200, 206, 416, 431)
    await wire.read(0.5)
    await net.ask(request("/files/big.bin", "Range: bytes=" + ",".join(["0-"] * 400)), 200, 206, 416)
    await net.ask(request("/files/big.bin", "Range: bytes=99999999999999999999-"), 200, 416)


@abuse
async def opened_and_left(net):
    for path in ("/poll", "/events", "/stream", "/work"):
        for way in ("reset", "close", "half_close"):
            wire = await net.connect()
            await wire.send(request(path))
            if random.random() < 0.5:
                await wire.read_some(patience=0.05)
            getattr(wire, way)()


@abuse
async def abandoned_work(net):
    for wire in await net.connect_all(20):
        await wire.send(request("/work"))
        wire.reset()


@abuse
async def polls_held(net):
    for wire in await net.connect_all(20):
        await wire.send(request("/poll"))
    await asyncio.sleep(1)


@abuse
async def pipeline_behind_poll(net):
    wire = await net.connect()
    await wire.send(request("/poll"))
    for _ in range(20):
        if not await wire.send(request("/") * 1000, patience=0.1):
            break
    await asyncio.sleep(0.5)
    wire.reset()  # close() would wait, with what the server has no room for, and be no different from staying there


@abuse
async def head_flood(net):
    wire = await net.connect()
    _, answers = await asyncio.gather(wire.send(request("/big", method="HEAD") * 500, patience=1), wire.read(1))
    if b"bbbb" in answers:
        net.wrong.append("head_flood: a body came")


@abuse
async def reset_after_connect(net):
    for _ in range(50):
        (await net.connect()).reset()


@abuse
async def reset_after_request(net):
    for _ in range(30):
        wire = await net.connect()
        await wire.send(request(random.choice(("/", "/big", "/files/big.bin", "/stream", "/text", "/count"))))
        wire.reset()


@abuse
async def reset_in_answer(net):
    for _ in range(10):
        wire = await net.connect()
        await wire.send(request(random.choice(("/big", "/files/big.bin", "/stream", "/events"))))
        await wire.read_some(random.randrange(1, 65536))
        wire.reset()


@abuse
async def compress_flood(net):
    wire = await net.connect()
    for _ in range(50):
        await wire.send(request("/text", "Accept-Encoding: gzip;q=0.5, br, " + "x, " * 300))
        net.check(await wire.read(1, until=b"\r\n\r\n"), 200)
        if wire.over:
            break


@abuse
async def missing_pages(net):
    wire = await net.connect()
    await wire.send(b"".join(request(f"/files/{random.random()}") for _ in range(500)))
    net.check(await wire.read(1), 404)


# Places

@abuse
async def rate_limit_wash(net):
    for i in range(30):
        wire = await net.connect(source=f"127.{random.randrange(1, 255)}.{i}.{random.randrange(1, 255)}")
        await wire.send(request("/limited", "X-Forwarded-For: 10.0.0.%d" % i) * 2)
        net.check(await wire.read(0.3), 200, 429)
        wire.close()


@abuse
async def churn(net):
    for _ in range(100):
        wire, _ = await net.ask(request("/", "Connection: close"), 200)
        wire.leave()


@abuse
async def connect_and_close(net):
    for _ in range(200):
        (await net.connect()).leave()


@abuse
async def one_with_too_many(net):
    wires = await net.connect_all(80, source="127.0.3.1")
    await asyncio.sleep(0.5)
    ended = 0
    for wire in wires:
        ended += await wire.ended(0.001)
    if ended < 15:
        net.wrong.append(f"one_with_too_many: {80 - ended} places for one client")


@abuse
async def all_places(net):
    for network in range(14):  # more than there are places, idle after an answer or before a request
        for wire in await net.connect_all(50, source=f"127.0.4.{network + 1}"):
            if network % 2:
                await wire.send(request("/"))
    _, answer = await net.ask(request("/"), 200, seconds=4)
    if not answer:
        net.wrong.append("all_places: a newcomer is not answered")
