"""A headless Chromium driven over a pipe by its own debugging protocol: pages are opened, asked, and photographed."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PATIENCE = 30.0
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root, for whom it has none
    "--no-first-run",
    "--disable-gpu-compositing",
    "--use-angle=swiftshader",  # WebGL by the processor
    "--enable-unsafe-swiftshader",
    "--remote-debugging-pipe",
)
# the protocol is spoken over the descriptors 3 and 4
_WIRED = """
import fcntl, os, sys
high = [fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3]]
os.dup2(high[0], 3)
os.dup2(high[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


@dataclass
class Page:
    """One page; `requests` are the addresses that it asked for, `complaints` its errors and refusals."""

    to_browser: int
    from_browser: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _read: bytes = b""

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the protocol and return its result; raises `RuntimeError` for an error."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") != number:
                self._note(answer)
            elif "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']['message']}")
            else:
                return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            ready, _, _ = select.select([self.from_browser], [], [], _PATIENCE)
            if not ready:
                raise TimeoutError("the browser does not answer")
            piece = os.read(self.from_browser, 1 << 20)
            if not piece:
                raise EOFError("the browser has ended")
            self._read += piece
        message, _, self._read = self._read.partition(b"\0")
        read: dict[str, Any] = json.loads(message)
        return read

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
        elif event.get("method") == "Log.entryAdded":
            self.complaints.append(params["entry"]["text"])

    def open(self, url: str) -> None:
        """Open an address; does not wait for what the page then does."""
        self.call("Page.navigate", url=url)

    def ask(self, expression: str) -> Any:
        """Return the value of an expression of the page's own language."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def until(self, expression: str) -> Any:
        """Ask until the value is true, and return it; raises `TimeoutError` after half a minute."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(RuntimeError):  # there may be no document yet
                if value := self.ask(expression):
                    return value
            time.sleep(0.05)
        raise TimeoutError(f"{expression} did not become true; the page says {self.complaints}")

    def press(self, key: str, *, code: int = 0, text: str = "") -> None:
        """Press a key and let it go."""
        given = {"key": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """Send a `mouseMoved`, `mousePressed`, `mouseReleased` or `mouseWheel` at a place in pixels."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def prefer(self, scheme: str) -> None:
        """Let the page see that its reader prefers `dark` or `light`."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def photograph(self, path: Path) -> None:
        """Write what the page shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def browser_page(program: str, profile: Path, *options: str, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """Lend a page of a browser of its own, whose files lie in `profile`; the browser ends with the block."""
    from_us, to_browser = os.pipe()
    from_browser, to_us = os.pipe()
    wired = [sys.executable, "-S", "-c", _WIRED, str(from_us), str(to_us), program]
    process = subprocess.Popen(
        [*wired, *_OPTIONS, *options, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
        pass_fds=(from_us, to_us),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(to_us)
    page = Page(to_browser=to_browser, from_browser=from_browser)
    try:
        _attach(page, width, height)
        yield page
    finally:
        with contextlib.suppress(OSError, RuntimeError, EOFError, ValueError):
            page.session = ""
            page.call("Browser.close")
        os.close(to_browser)
        os.close(from_browser)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def _attach(page: Page, width: int, height: int) -> None:
    target = page.call("Target.createTarget", url="about:blank")["targetId"]
    page.session = page.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ("Page", "Runtime", "Network", "Log"):
        page.call(f"{domain}.enable")
    size = {"width": width, "height": height, "screenWidth": width, "screenHeight": height}
    page.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
