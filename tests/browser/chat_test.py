#!/usr/bin/python3
"""Tests the chat hub as people use it: the server's page in real Chromium browsers.

Usage: chat_test.py SERVER_BINARY
"""

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PACKAGES = "chromium chromium-driver python3-selenium python3-websockets"

try:
    from selenium import webdriver
    from selenium.common.exceptions import JavascriptException, StaleElementReferenceException, WebDriverException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    sys.exit(f"chat_test: selenium is missing; install the Debian packages {PACKAGES}")

WHOLE_TEST = 85  # seconds
PATIENCE = 12    # seconds for one thing to happen

if not shutil.which("chromium") or not shutil.which("chromedriver"):
    sys.exit(f"chat_test: chromium or its driver is missing; install the Debian packages {PACKAGES}")


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def wait_until(what, condition, seconds=PATIENCE):
    """Polls until the condition is true and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Server:
    def __init__(self, binary, port=0):
        self.process = subprocess.Popen([binary, f"127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.output = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        try:
            line = self.output.get(timeout=PATIENCE)
        except queue.Empty:
            line = ""
        found = re.fullmatch(r"Open (http://127\.0\.0\.1:(\d+))\n", line)
        if not found:
            self.process.kill()
            raise Failure(f"the server said {line!r} and {self.process.stderr.read()!r} instead of the address to open")
        self.url, self.port = found[1], int(found[2])

    def _read(self):
        for line in self.process.stdout:
            self.output.put(line)
        self.output.put("")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"the server did not end within {PATIENCE} s of {how.name}") from None


class Browser:
    """One person's browser, with a profile of its own."""

    def __init__(self, url, name, room="lobby"):
        self.name = name
        self.profile = tempfile.mkdtemp(prefix="kvolt-chat-test-")
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
                         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
                         "--window-size=1280,800", f"--user-data-dir={self.profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")), options=options)
        self.driver.set_script_timeout(PATIENCE)
        self.driver.set_page_load_timeout(PATIENCE)
        self.driver.get(f"{url}/#{room}")
        self.element("name").send_keys(name, Keys.ENTER)
        self.wait_for_state("Online")

    def element(self, element_id):
        return self.driver.find_element(By.ID, element_id)

    def js(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def texts(self, selector):
        return self.js("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)

    def wait(self, what, condition):
        try:
            return wait_until(f"{self.name}: {what}", condition)
        except Failure as failure:
            page = self.js("return document.body.innerText")
            raise Failure(f"{failure}\n--- the page of {self.name} ---\n{page}\n---") from None

    def wait_for_state(self, state):
        self.wait(f"connection state {state}", lambda: self.texts("#state") == [state])

    def messages(self):
        """(author, text) of all messages; what was said in this tab has the author You."""
        return [tuple(pair) for pair in self.js("""
            return [...document.querySelectorAll('#messages .bubble')].map(bubble =>
                [bubble.closest('.group').querySelector('.by > :first-child').textContent, bubble.textContent])""")]

    def waiting(self):
        return self.texts("#outbox .bubble")

    def people(self):
        return sorted(self.texts("#people bdi"))

    def notices(self):
        return " / ".join(self.texts("#messages .notice"))

    def rooms(self):
        """The unread count of each room in the list."""
        return dict(self.js("""
            return [...document.querySelectorAll('#rooms a')].map(link =>
                [link.querySelector('.grow').textContent, parseInt(link.querySelector('.badge:not(.quiet)')?.textContent ?? '0')])"""))

    def say(self, text):
        self.element("text").send_keys(text, Keys.ENTER)

    def go_to(self, room):
        def clicked():
            try:
                self.driver.find_element(By.CSS_SELECTOR, f'#rooms a[href="#{room}"]').click()
                return True
            except StaleElementReferenceException:  # the list was made anew just now
                return False

        self.wait(f"the room {room} in the list", clicked)
        self.wait(f"room {room}", lambda: self.texts("#title") == [f"# {room}"])

    def wait_for_message(self, author, text):
        self.wait(f"{text!r} by {author}", lambda: (author, text) in self.messages())

    def script_errors(self):
        """Errors of the page's own scripts; a connection that was refused is none."""
        try:
            log = self.driver.get_log("browser")
        except WebDriverException:
            return []
        return [entry["message"] for entry in log if entry["level"] == "SEVERE" and "WebSocket connection" not in entry["message"]
                and "favicon" not in entry["message"]]

    def kill(self):
        """Ends the browser as a crash does: it sends no close frame."""
        os.kill(self.driver.capabilities["goog:processID"], signal.SIGKILL)
        self.quit()

    def quit(self):
        try:
            self.driver.quit()
        except Exception:  # it is dead already
            pass
        shutil.rmtree(self.profile, ignore_errors=True)


class Chat:
    """What the tests share: a server, and two people in the lobby."""

    def __init__(self, binary):
        self.binary = binary
        self.browsers = []
        self.server = Server(binary)

    def open_browser(self, name, room="lobby"):
        browser = Browser(self.server.url, name, room)
        self.browsers.append(browser)
        return browser

    def close(self):
        for browser in self.browsers:
            browser.quit()
        if self.server.process.poll() is None:
            self.server.process.kill()


# ------------------------------------------------------------------ the tests, in the order of one session


def history_is_there_on_entering(chat):
    chat.ann = chat.open_browser("Ann")
    for number in range(1, 4):
        chat.ann.say(f"early {number}")
        chat.ann.wait_for_message("You", f"early {number}")
    chat.ben = chat.open_browser("Ben")
    expected = [("Ann", f"early {number}") for number in range(1, 4)]
    chat.ben.wait("the earlier messages", lambda: chat.ben.messages() == expected)


def people_see_each_other(chat):
    for browser in (chat.ann, chat.ben):
        browser.wait("both are here", lambda: browser.people() == ["Ann", "Ben"])
    chat.ann.wait("Ben's coming", lambda: "Ben joined" in chat.ann.notices())


def people_hear_each_other(chat):
    chat.ann.say("Hello Ben!")
    chat.ben.wait_for_message("Ann", "Hello Ben!")
    chat.ben.say("Hello Ann! Schöne Grüße 👋")
    chat.ann.wait_for_message("Ben", "Hello Ann! Schöne Grüße 👋")
    chat.ben.wait_for_message("You", "Hello Ann! Schöne Grüße 👋")
    check(chat.ben.waiting() == [], "a message that was delivered does not wait any more")
    chat.ben.element("text").send_keys("two", Keys.SHIFT, Keys.ENTER, Keys.NULL, "lines", Keys.ENTER)
    chat.ann.wait_for_message("Ben", "two\nlines")


def unread_messages_are_counted(chat):
    chat.ann.go_to("random")
    chat.ben.wait("Ann's going", lambda: "Ann left" in chat.ben.notices() and chat.ben.people() == ["Ben"])
    chat.ben.say("unread 1")
    chat.ben.say("unread 2")
    chat.ann.wait("two unread", lambda: chat.ann.rooms().get("lobby") == 2)
    check(chat.ann.driver.title.startswith("(2) "), f"the title counts: {chat.ann.driver.title}")
    check(not any("unread" in text for _, text in chat.ann.messages()), "messages stay in their room")
    chat.ann.go_to("lobby")
    chat.ann.wait_for_message("Ben", "unread 2")
    chat.ann.wait("a line above the new ones", lambda: "New" in chat.ann.texts("#messages .rule"))
    chat.ann.wait("none unread", lambda: chat.ann.rooms().get("lobby") == 0)


def a_new_room_is_in_everybodys_list(chat):
    chat.ben.element("new-room-name").send_keys("Über Cats & Dogs", Keys.ENTER)
    chat.ben.wait("the new room", lambda: chat.ben.texts("#title") == ["# ber-cats-dogs"])
    chat.ann.wait("the new room in the list", lambda: "ber-cats-dogs" in chat.ann.rooms())
    chat.ben.go_to("lobby")


def markup_is_shown_as_text(chat):
    name = "<img src=x onerror=hacked=1>"
    text = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1><b>bold</b> javascript:alert(1)"
    chat.ben.element("me").click()
    chat.ben.element("name").clear()
    chat.ben.element("name").send_keys(name, Keys.ENTER)
    chat.ben.say(text)
    for browser, author in ((chat.ann, name), (chat.ben, "You")):
        browser.wait_for_message(author, text)
        browser.wait("the name in the list", lambda: browser.people() == [name, "Ann"])
        found = browser.js("return document.querySelectorAll(':is(#messages, #people, #me) :is(script, img, b)').length")
        check(found == 0, f"{found} elements were made of what somebody typed")
        check(browser.js("return window.hacked === undefined"), "somebody's script ran")
    chat.ben.element("me").click()
    chat.ben.element("name").clear()
    chat.ben.element("name").send_keys("Ben", Keys.ENTER)
    chat.ann.wait("Ben's own name again", lambda: chat.ann.people() == ["Ann", "Ben"])


RAW_SOCKET = """
const [requests, done] = arguments;
const socket = new WebSocket(`ws://${location.host}/ws`);
const answers = [];
let you = 0;
const next = () => {
  if (answers.length === requests.length) { socket.close(); return done(answers); }
  const request = requests[answers.length];
  socket.send(request === 'binary' ? new Uint8Array([123, 125]) : request);
};
socket.onopen = next;
socket.onclose = event => { if (answers.length < requests.length) done([...answers, {type: 'close', code: event.code}]); };
socket.onmessage = event => {
  const message = JSON.parse(event.data);
  if (!['error', 'entered', 'said'].includes(message.type) || (message.type === 'said' && message.from !== you)) return;
  if (message.type === 'entered') you = message.you;
  answers.push(message);
  next();
};
"""


def bad_requests_get_an_error_and_do_no_harm(chat):
    enter = '{"type": "enter", "room": "lobby", "name": "Raw", "key": "in"}'
    say = '{"type": "say", "text": "raw but fine", "key": "mine"}'
    outside = [
        "", "no json", "[]", '"text"', "null", "{", "{}", "[" * 5000, "binary",
        '{"type": "dance"}', '{"type": 1}', '{"type": "say", "text": "too early"}',
        '{"type": "enter"}', '{"type": "enter", "room": "lobby"}', '{"type": "enter", "name": "Raw"}',
        '{"type": "enter", "room": "lobby", "name": " "}', '{"type": "enter", "room": "lobby", "name": {"a": 1}}',
        '{"type": "enter", "room": "lobby", "name": "' + "n" * 33 + '"}',
        '{"type": "enter", "room": "Lobby!", "name": "Raw"}', '{"type": "enter", "room": "' + "r" * 33 + '", "name": "Raw"}',
        '{"type": "enter", "room": "../etc", "name": "Raw"}', '{"type": "say", "text": "\\ud800"}',
    ]
    inside = ['{"type": "say"}', '{"type": "say", "text": 5}', '{"type": "say", "text": " "}', '{"type": "say", "text": "' + "x" * 2001 + '"}',
              '{"type": "say", "text": "' + "é" * 2001 + '", "key": "echo"}']
    answers = chat.ann.driver.execute_async_script(RAW_SOCKET, outside + [enter] + inside + [say])
    kinds = [answer["type"] for answer in answers]
    expected = ["error"] * len(outside) + ["entered"] + ["error"] * len(inside) + ["said"]
    check(kinds == expected, f"the answers were {kinds}")
    check(answers[-2]["key"] == "echo", f"an error carries the request's key: {answers[-2]}")
    for browser in (chat.ann, chat.ben):
        browser.wait_for_message("Raw", "raw but fine")
        browser.wait("Raw's leaving", lambda: browser.people() == ["Ann", "Ben"])

    longest = '{"type": "say", "text": "' + "é" * 2000 + '", "key": "mine"}'
    huge = '{"type": "say", "text": "' + "x" * 100_000 + '"}'
    answers = chat.ann.driver.execute_async_script(RAW_SOCKET, [enter, longest, huge])
    check([answer["type"] for answer in answers] == ["entered", "said", "close"], f"the answers were {answers}"[:1000])
    check(answers[-1]["code"] == 1009, f"a huge message closes its connection with {answers[-1]['code']}")

    # A key that is too long is no key. (Cut in the middle of a character it would be invalid UTF-8 to all in the room.)
    long_key = '{"type": "say", "text": "a long key", "key": "' + "é" * 40 + '"}'
    answers = chat.ann.driver.execute_async_script(RAW_SOCKET, [enter, long_key.replace("say", "dance"), long_key])
    check([answer["key"] for answer in answers] == ["in", "", ""], f"the answers were {answers}")
    for browser in (chat.ann, chat.ben):
        browser.wait_for_message("Raw", "a long key")

    chat.ann.say("still here")
    chat.ben.wait_for_message("Ann", "still here")
    for browser in (chat.ann, chat.ben):
        check(browser.texts("#state") == ["Online"], f"{browser.name} is online all the time")


def reading_above_is_not_disturbed(chat):
    for number in range(30):
        chat.ben.say(f"line {number}")
    chat.ann.wait_for_message("Ben", "line 29")
    at_end = "const log = document.getElementById('log'); return log.scrollHeight - log.scrollTop - log.clientHeight < 4"
    chat.ann.wait("the last message in view", lambda: chat.ann.js(at_end))
    chat.ann.js("document.getElementById('log').scrollTop = 0")
    chat.ann.wait("the top", lambda: chat.ann.js("return !following"))
    chat.ben.say("far below")
    chat.ann.wait("the pill", lambda: chat.ann.element("pill").is_displayed() and "1 new message" in chat.ann.element("pill").text)
    check(chat.ann.js("return document.getElementById('log').scrollTop") == 0, "the view stays where it was")
    chat.ann.element("pill").click()
    chat.ann.wait("the end", lambda: chat.ann.js(at_end))
    chat.ann.wait("no pill", lambda: not chat.ann.element("pill").is_displayed())


SCRIPT = """
import asyncio, sys, websockets

async def stay():
    async with websockets.connect(sys.argv[1]) as socket:
        await socket.send('{"type": "enter", "room": "lobby", "name": "Script"}')
        async for _ in socket:
            pass

asyncio.run(stay())
"""


def a_killed_script_has_left(chat):
    script = subprocess.Popen([sys.executable, "-c", SCRIPT, f"ws://127.0.0.1:{chat.server.port}/ws"])
    try:
        for browser in (chat.ann, chat.ben):
            browser.wait("the script's coming", lambda: browser.people() == ["Ann", "Ben", "Script"])
    finally:
        script.kill()
        script.wait()
    for browser in (chat.ann, chat.ben):
        browser.wait("its leaving", lambda: "Script left" in browser.notices() and browser.people() == ["Ann", "Ben"])
    chat.ben.say("we are still here")
    chat.ann.wait_for_message("Ben", "we are still here")


def a_killed_browser_has_left(chat):
    chat.ben.kill()
    chat.ann.wait("Ben's leaving", lambda: "Ben left" in chat.ann.notices() and chat.ann.people() == ["Ann"])


def it_fits_on_a_phone(chat):
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    chat.ann.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    chat.ann.say("w" * 600)
    chat.ann.wait_for_message("You", "w" * 600)
    check(chat.ann.js("return document.documentElement.scrollWidth <= 390 && document.getElementById('log').scrollWidth <= 390"),
          "nothing is wider than the screen")
    check(not chat.ann.element("rooms").is_displayed(), "the list of rooms is out of the way")
    chat.ann.element("menu").click()
    chat.ann.wait("the drawer", lambda: chat.ann.element("rooms").is_displayed())
    chat.ann.go_to("random")
    chat.ann.wait("a closed drawer", lambda: not chat.ann.element("rooms").is_displayed())
    chat.ann.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chat.ann.go_to("lobby")


def a_restart_of_the_server_is_survived(chat):
    chat.ben = chat.open_browser("Ben")
    chat.ann.wait("Ben again", lambda: chat.ann.people() == ["Ann", "Ben"])
    port = chat.server.port
    status = chat.server.stop()
    check(status == 0, f"the server ends with status {status} on SIGTERM")
    chat.ann.wait("a notice about the connection", lambda: chat.ann.element("banner").is_displayed())
    chat.ann.say("said without a connection")
    chat.ann.wait("a message that waits", lambda: chat.ann.waiting() == ["said without a connection"])
    chat.ben.element("text").send_keys("half a thought")
    chat.server = Server(chat.binary, port)
    for browser in (chat.ann, chat.ben):
        browser.wait_for_state("Online")
        browser.wait("both are back", lambda: browser.people() == ["Ann", "Ben"])
    chat.ben.wait("the message that waited, or it in the history", lambda: ("Ann", "said without a connection") in chat.ben.messages())
    chat.ann.wait("nothing waits", lambda: chat.ann.waiting() == [])
    check(chat.ben.js("return document.getElementById('text').value") == "half a thought", "what was being typed is still there")
    chat.ben.say(" is whole")
    chat.ann.wait_for_message("Ben", "half a thought is whole")
    for browser in (chat.ann, chat.ben):
        heard = [text for _, text in browser.messages()]
        check(heard.count("said without a connection") == 1, f"{browser.name} has it once: {heard[-5:]}")


def the_name_is_remembered(chat):
    chat.ann.driver.refresh()
    chat.ann.wait_for_state("Online")
    chat.ann.wait("Ann under her name", lambda: chat.ann.people() == ["Ann", "Ben"])
    chat.ann.wait_for_message("You", "said without a connection")


def a_port_in_use_is_said(chat):
    second = subprocess.run([chat.binary, f"127.0.0.1:{chat.server.port}"], capture_output=True, text=True, timeout=PATIENCE)
    check(second.returncode == 1, f"the second server ends with status {second.returncode}")
    check(str(chat.server.port) in second.stderr, f"it says why: {second.stderr!r}")


def no_script_failed(chat):
    for browser in (chat.ann, chat.ben):
        errors = browser.script_errors()
        check(not errors, f"{browser.name}: {errors}")


def ctrl_c_ends_the_server(chat):
    status = chat.server.stop(signal.SIGINT)
    check(status == 0, f"the server ends with status {status} on SIGINT")


TESTS = [
    history_is_there_on_entering, people_see_each_other, people_hear_each_other, unread_messages_are_counted, a_new_room_is_in_everybodys_list,
    markup_is_shown_as_text, bad_requests_get_an_error_and_do_no_harm, reading_above_is_not_disturbed, a_killed_script_has_left,
    a_killed_browser_has_left, it_fits_on_a_phone, a_restart_of_the_server_is_survived, the_name_is_remembered, a_port_in_use_is_said, no_script_failed,
    ctrl_c_ends_the_server,
]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

    def too_long(*_):
        raise Failure(f"the whole test took longer than {WHOLE_TEST} s")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(WHOLE_TEST)
    chat = Chat(sys.argv[1])
    name = ""
    try:
        for test in TESTS:
            name = test.__name__.replace("_", " ")
            begin = time.monotonic()
            test(chat)
            print(f"ok    {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    except (Failure, JavascriptException, WebDriverException, subprocess.TimeoutExpired) as failure:
        print(f"FAIL  {name}\n{failure}", flush=True)
        return 1
    finally:
        signal.alarm(0)
        chat.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
