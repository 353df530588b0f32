"""A Home Assistant of the test's own: configured by files, watched and used over its REST API."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.broker import free_port
from tests.clients import storage

START = Path(__file__).with_name("start_home_assistant.py")
START_S = 120.0  # the machine that tests may be busy
WAIT_S = 30.0
State = dict[str, Any]
CONFIGURATION = """
homeassistant:
  name: Tests
  time_zone: UTC
  packages: !include_dir_named packages
api:
config:
http:
  server_host: 127.0.0.1
  server_port: {port}
logger:
  default: warning
system_log:
"""


class HomeAssistant:
    """One installation in a folder; it can be stopped and started again.

    Args:
        python: that has Home Assistant.
        folder: for its configuration, storage and log.
        packages: more configuration, by name (YAML).
        broker_port: of the broker on loopback.
    """

    def __init__(
        self, python: Path, folder: Path, packages: dict[str, str], broker_port: int
    ) -> None:
        self._python, self._folder, self._port = python, folder, free_port()
        self.log_path = folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._token = storage.token()
        self._lock = threading.Lock()
        self._changes: list[State] = []
        (folder / "packages").mkdir(parents=True)
        (folder / "configuration.yaml").write_text(CONFIGURATION.format(port=self._port))
        for name, text in packages.items():
            (folder / "packages" / f"{name}.yaml").write_text(text)
        storage.write(folder / ".storage", broker_port)

    def start(self) -> None:
        """Starts and returns when it runs."""
        command = [str(self._python), str(START), "--config", str(self._folder)]
        command += ["--log-no-color"]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self.wait(lambda: self._get("config")["state"] == "RUNNING", START_S, "running")
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        """Ends it as it wants to end."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(START_S)
            finally:
                self._process.kill()
                self._process = None

    def state(self, entity_id: str) -> State | None:
        """One entity as it is now; None when there is none."""
        try:
            found: State = self._get(f"states/{entity_id}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return found

    def states(self, device: str) -> dict[str, str]:
        """State of every entity whose id holds a word."""
        found = self._get("states")
        return {s["entity_id"]: s["state"] for s in found if device in s["entity_id"]}

    def wait_for(self, entity_id: str, wanted: str, within_s: float = WAIT_S) -> State:
        """Waits until an entity has a state."""

        def has_it() -> bool:
            found = self.state(entity_id)
            return found is not None and found["state"] == wanted

        self.wait(has_it, within_s, f"{entity_id} is {wanted}, not {self.state(entity_id)}")
        found = self.state(entity_id)
        assert found
        return found

    def wait(self, check: Callable[[], object], within_s: float = WAIT_S, what: str = "") -> None:
        """Waits until a check holds; a refused connection counts as not yet."""
        by_s = time.monotonic() + within_s
        while True:
            with suppress(OSError):
                if check():
                    return
            assert time.monotonic() < by_s, f"not within {within_s} s: {what or check}"
            time.sleep(0.1)

    def call(self, action: str, entity_id: str, **data: Any) -> None:
        """Performs an action (``switch.turn_off``)."""
        self._open(f"services/{action.replace('.', '/')}", {"entity_id": entity_id, **data})

    def set_state(self, entity_id: str, state: str) -> None:
        """Gives an entity a state that its own integration would give it later."""
        self._open(f"states/{entity_id}", {"state": state})

    def render(self, template: str) -> str:
        """A template's text, rendered in Home Assistant."""
        return self._open("template", {"template": template}).decode()

    def changes(self, entity_id: str) -> list[State]:
        """Every state an entity has had since the start."""
        with self._lock:
            return [c for c in self._changes if c["entity_id"] == entity_id]

    def complaints(self) -> list[str]:
        """Errors and warnings of its log, each with its traceback."""
        entries = re.split(r"^(?=\d{4}-\d\d-\d\d )", self.log_path.read_text(), flags=re.MULTILINE)
        return [each for each in entries if " WARNING (" in each or " ERROR (" in each]

    def _follow(self) -> None:
        """Keeps every change of state until Home Assistant ends."""
        with suppress(OSError, ValueError), self._request("stream?restrict=state_changed") as lines:
            for line in lines:
                if line.startswith(b"data: {"):
                    state = json.loads(line[6:])["data"]["new_state"]
                    with self._lock:
                        self._changes += [state] if state else []

    def _get(self, path: str) -> Any:
        return json.loads(self._open(path))

    def _open(self, path: str, body: dict[str, Any] | None = None) -> bytes:
        with self._request(path, body) as answer:
            content: bytes = answer.read()
        return content

    def _request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self._port}/api/{path}"
        request = urllib.request.Request(url, data, headers)
        return urllib.request.urlopen(request, timeout=None if "stream" in path else WAIT_S)
