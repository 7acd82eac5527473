"""A headless Chromium, driven over a pipe by its DevTools protocol."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 60.0
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)


class Tab:
    """A page in the browser, and what went wrong in it."""

    def __init__(self, browser: _Pipe, session: str) -> None:
        self._browser = browser
        self._session = session

    def open(self, url: str) -> None:
        """Goes to an address and waits until the page is loaded."""
        self._browser.events.clear()
        self.call("Page.navigate", url=url)
        self._browser.wait_for("Page.loadEventFired")

    def run(self, expression: str) -> Any:
        """Evaluates JavaScript, waiting for a promise, and returns its value."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_until(self, condition: str) -> None:
        """Waits until an expression is true."""
        deadline = time.monotonic() + SECONDS
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < deadline, f"{condition} did not become true"
            self.run("new Promise(requestAnimationFrame)")

    def press(self, key: str, text: str = "") -> None:
        """Presses a key."""
        code = {"Enter": 13, "Escape": 27, "ArrowDown": 40, "Tab": 9}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code)

    def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """Sets the size of the window, and the scheme of colours that its user likes."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path) -> None:
        """Writes what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def call(self, method: str, **parameters: Any) -> Any:
        """Calls a method of the protocol."""
        return self._browser.call(method, parameters, self._session)

    @property
    def problems(self) -> list[Any]:
        """The exceptions and the errors on the console since the page was opened."""
        names = {"Runtime.exceptionThrown", "Log.entryAdded"}
        return [event["params"] for event in self._browser.events if event["method"] in names]


class _Pipe:
    def __init__(self, writing: int, reading: int) -> None:
        self._writing, self._reading = writing, reading
        self._buffer = bytearray()
        self._last = 0
        self._selector = selectors.DefaultSelector()
        self._selector.register(reading, selectors.EVENT_READ)
        self.events: list[Any] = []

    def call(self, method: str, parameters: dict[str, Any], session: str = "") -> Any:
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            received = self._receive(deadline)
            if received.get("id") == self._last:
                assert "error" not in received, (method, received["error"])
                return received["result"]
            if "method" in received:
                self.events.append(received)

    def wait_for(self, method: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not any(event["method"] == method for event in self.events):
            received = self._receive(deadline)
            if "method" in received:
                self.events.append(received)

    def _receive(self, deadline: float) -> Any:
        while (end := self._buffer.find(b"\0")) < 0:
            ready = self._selector.select(max(0, deadline - time.monotonic()))
            assert ready, "Chromium did not answer"
            part = os.read(self._reading, 1 << 20)
            assert part, "Chromium has ended"
            self._buffer += part
        message = json.loads(self._buffer[:end])
        del self._buffer[: end + 1]
        return message


@contextmanager
def chromium(profile: Path) -> Iterator[Tab]:
    """Runs the browser with one tab until the block ends.

    Args:
        profile: an empty directory for its files.
    """
    program = shutil.which("chromium")
    assert program is not None, "chromium is not installed; on Debian, `apt-get install chromium` brings it"
    to_browser, from_us = os.pipe()
    to_us, from_browser = os.pipe()
    reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_browser, from_browser))
    redirected = f'exec "$0" "$@" 3<&{reading} 4>&{writing}'  # where Chromium reads and writes
    process = subprocess.Popen(
        ["bash", "-c", redirected, program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(reading, writing),
    )
    for end in (to_browser, from_browser, reading, writing):
        os.close(end)
    try:
        pipe = _Pipe(from_us, to_us)
        target = pipe.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = pipe.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = Tab(pipe, session)
        for domain in ("Page", "Runtime", "Log"):
            tab.call(f"{domain}.enable")
        yield tab
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        finally:
            process.kill()
            os.close(from_us)
            os.close(to_us)
