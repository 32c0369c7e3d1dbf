"""What attackers do with WebSockets and a hub."""

import asyncio
import random
import struct
import zlib

from wire import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, abuse, frame, garbage, handshake, request, words)

BOMB = zlib.compress(bytes(40 << 20), 1)[2:65000]  # a thousand times as long


# Handshakes

@abuse
async def refused_handshakes(net):
    good = handshake("/echo").decode()
    for old, new, status in (("Version: 13", "Version: 8", 426), ("Key: dG", "Key: ", 400), ("Key", "Bey", 400),
                             ("Host", "Origin: http://evil.example\r\nHost", 403),
                             ("Upgrade: websocket", "Upgrade: h2c", 426),
                             ("GET", "POST", 405)):
        await net.ask(good.replace(old, new, 1).encode(), status)


@abuse
async def handshakes_then_nothing(net):
    for _ in range(10):
        await net.websocket(random.choice(("/echo", "/rooms/quiet")))
    await asyncio.sleep(3)  # no ping is answered


@abuse
async def reset_in_handshake(net):
    whole = handshake("/rooms/reset")
    for _ in range(20):
        wire = await net.connect()
        await wire.send(whole[:random.randrange(len(whole) + 1)])
        wire.reset()


@abuse
async def reset_after_handshake(net):
    for _ in range(20):
        wire = await net.connect()
        await wire.send(handshake(random.choice(("/echo", "/rooms/reset"))))
        await wire.read_some(random.randrange(1, 200), patience=0.1)
        wire.reset()


@abuse
async def frames_before_answer(net):
    wire = await net.connect()
    await wire.send(handshake("/echo") + frame(TEXT, b"early") * 2000 + frame(CLOSE, b"\x03\xe8"))
    net.check(await wire.read(2), 101)


# Frames

@abuse
async def slow_frame(net):
    wire = await net.websocket()
    await wire.send_slowly(frame(TEXT, b"x" * 100))
    await net.closed_with(wire, 1008)


@abuse
async def endless_length(net):
    heads = [b"\x82\xff" + struct.pack("!Q", length) for length in (1 << 63, (1 << 63) - 1, 1 << 40)]
    await net.all_closed_with("/echo", [head + bytes(4) + b"x" * 1000 for head in heads], 1002, 1009)


@abuse
async def unmasked_frame(net):
    wire = await net.websocket()
    await wire.send(b"\x81\x05hello")
    await net.closed_with(wire, 1002)


@abuse
async def reserved_bits(net):
    await net.all_closed_with("/echo", [frame(TEXT, b"x", first=first) for first in (0x90, 0xA0, 0xF0, 0xC0)], 1002)


@abuse
async def reserved_opcodes(net):
    await net.all_closed_with("/echo", [frame(opcode, b"x") for opcode in (3, 7, 11, 15)], 1002)


@abuse
async def bad_text(net):
    texts = b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"
    await net.all_closed_with("/echo", [frame(TEXT, text) for text in texts], 1007)


@abuse
async def empty_fragments(net):
    wire = await net.websocket()
    await wire.send(frame(TEXT, first=0) + frame(CONTINUATION, first=0) * 5000)
    await net.closed_with(wire, 1008)


@abuse
async def slow_fragments(net):
    wire = await net.websocket()
    await wire.send(frame(TEXT, first=0))
    for _ in range(15):
        await wire.send(frame(CONTINUATION, b"x", first=0) + frame(PING))
        await asyncio.sleep(0.1)
    await net.closed_with(wire, 1008)


@abuse
async def bad_fragments(net):
    await net.all_closed_with("/echo", (frame(CONTINUATION), frame(TEXT, first=0) + frame(TEXT), frame(PING, first=0),
                                        frame(PING, b"x" * 126)), 1002)


@abuse
async def ping_flood(net):
    wire = await net.websocket()
    for _ in range(10):
        await wire.send(frame(PING, b"x" * 125) * 2000)
        await wire.read_some(patience=0.01)


@abuse
async def ping_flood_unread(net):
    wire = await net.websocket(receive_buffer=4096)
    for _ in range(20):
        await wire.send(frame(PING, b"x" * 125) * 5000, patience=0.1)


@abuse
async def pong_flood(net):
    wire = await net.websocket()
    for _ in range(20):
        await wire.send(frame(PONG, b"x") * 5000)


@abuse
async def close_flood(net):
    await net.all_closed_with("/echo", [frame(CLOSE, b"\x03\xe8") * 1000] * 10, 1000)


@abuse
async def bad_closes(net):
    payloads = b"\x03", b"\x03\xed", b"\x03\xee", b"\0\0", b"\xff\xff", b"\x03\xe8\xff", b"\x03\xe8" + b"x" * 124
    await net.all_closed_with("/echo", [frame(CLOSE, payload) for payload in payloads], 1002, 1007)


@abuse
async def data_after_close(net):
    wire = await net.websocket("/rooms/lobby")
    await wire.send(frame(CLOSE, b"\x03\xe8") + words("say ghost") * 10000)
    await net.closed_with(wire, 1000)


@abuse
async def no_answer_to_close(net):
    wire = await net.websocket()
    await wire.send(frame(TEXT, b"\xff"))
    await asyncio.sleep(0.5)
    await wire.send(frame(TEXT, b"x") * 1000)
    await net.closed_with(wire, 1007)


@abuse
async def too_big_messages(net):
    wire = await net.websocket()
    await wire.send(frame(BINARY, b"x" * 65537))
    await net.closed_with(wire, 1009)
    wire = await net.websocket()
    await wire.send(frame(BINARY, b"x" * 40000, first=0) + frame(CONTINUATION, b"x" * 40000))
    await net.closed_with(wire, 1009)


@abuse
async def deflate_bomb(net):
    wire = await net.websocket("/echo", "Sec-WebSocket-Extensions: permessage-deflate")
    await wire.send(frame(BINARY, BOMB, first=0xC0))
    await net.closed_with(wire, 1009)


@abuse
async def deflate_garbage(net):
    wire = await net.websocket("/echo", "Sec-WebSocket-Extensions: permessage-deflate")
    await wire.send(frame(BINARY, b"\xff" + garbage(1000), first=0xC0))
    await net.closed_with(wire, 1002, 1007)


@abuse
async def small_messages(net):
    wire = await net.websocket()
    for _ in range(20):
        await wire.send(frame(TEXT, b"x") * 2000)
        await wire.read_some(patience=0.01)


@abuse
async def echo_unread(net):
    for _ in range(3):
        wire = await net.websocket(receive_buffer=4096)
        for _ in range(20):
            await wire.send(frame(BINARY, b"x" * 60000), patience=0.05)


@abuse
async def reset_in_frame(net):
    whole = frame(BINARY, b"x" * 30000)
    for _ in range(10):
        wire = await net.websocket(random.choice(("/echo", "/rooms/reset")))
        await wire.send(whole[:random.choice((1, 2, 3, 5, 8, 9, random.randrange(len(whole))))])
        wire.reset()


@abuse
async def half_close_of_socket(net):
    for path in ("/echo", "/rooms/lobby"):
        wire = await net.websocket(path)
        wire.half_close()
        await net.closed_with(wire, 1000, 1001, 1002, 1006)


# The hub

@abuse
async def join_and_leave(net):
    for _ in range(30):
        wire = await net.websocket(random.choice(("/rooms/lobby", "/rooms/news")))
        await wire.send(words("say hello"))
        wire.leave()


@abuse
async def enter_and_leave_flood(net):
    wire = await net.websocket("/rooms/lobby")
    for _ in range(20):
        await wire.send(words("enter news", "leave news") * 1000)
        await wire.read_some(patience=0.01)


@abuse
async def too_many_rooms(net):
    wire = await net.websocket("/rooms/lobby")
    await wire.send(words(*(f"enter {random.random()}" for _ in range(3000)), "enter " + "x" * 256))


@abuse
async def rooms_with_history(net):
    wire = await net.websocket("/rooms/lobby")
    for _ in range(10):
        name = str(random.random())
        await wire.send(words("enter " + name, *(f"say {'h' * 100}" for _ in range(50)), "leave " + name))


@abuse
async def members_flood(net):
    wire = await net.websocket("/rooms/lobby")
    for _ in range(5):
        await wire.send(words("who lobby", "who ") * 500)
        await wire.read_some(patience=0.05)


@abuse
async def change_flood(net):
    wire = await net.websocket("/rooms/lobby")
    for i in range(5):
        await wire.send(words(*(f"name {'n' * 1000}{i}" for i in range(500))))


@abuse
async def coalesce_flood(net):
    wire = await net.websocket("/rooms/lobby")
    for _ in range(10):
        await wire.send(words(*(f"price {i}" for i in range(1000))))
        await wire.read_some(patience=0.01)


@abuse
async def broadcast_flood(net):
    wire = await net.websocket("/rooms/lobby")
    for _ in range(10):
        await wire.send(words(f"say {'x' * 1000}") * 200)
        await wire.read_some(patience=0.01)


@abuse
async def broadcast_to_all_flood(net):
    wire = await net.websocket("/rooms/lobby")
    for _ in range(3):
        await wire.send(words("all !") * 500)
        await wire.read_some(patience=0.01)


@abuse
async def send_to_self_flood(net):
    wire = await net.websocket("/rooms/lobby", receive_buffer=4096)
    for _ in range(10):
        await wire.send(words(f"me {'x' * 1000}") * 200, patience=0.1)


@abuse
async def close_room_flood(net):
    wires = [await net.websocket("/rooms/doomed") for _ in range(5)]
    await wires[0].send(words("close doomed") * 500)
    for wire in wires:
        await net.closed_with(wire, 1000)


@abuse
async def stalled_members(net):
    for _ in range(5):
        await net.websocket("/rooms/lobby", receive_buffer=4096)
    talker = await net.websocket("/rooms/lobby")
    for _ in range(5):
        await talker.send(words(f"say {'x' * 10000}") * 20)
        await talker.read_some(patience=0.1)


@abuse
async def bad_words(net):
    wire = await net.websocket("/rooms/" + "%c3%28")
    await wire.send(frame(BINARY, b"say \xff\xfe") + frame(BINARY, b"all \xff") + frame(TEXT, b"who") + frame(TEXT, b""))
    await net.ask(request("/rooms/lobby"), 426, 400)
