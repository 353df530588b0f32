"""A Node-RED of the test's own, used over its admin API."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.broker import free_port, wait_for_port

START_S = 90.0  # the machine that tests may be busy
SETTINGS = """module.exports = {{
    uiHost: "127.0.0.1",
    uiPort: {port},
    userDir: {folder},
    credentialSecret: false,
    telemetry: {{ enabled: false }},
}}
"""


class NodeRed:
    """Node-RED in a folder.

    Args:
        script: Node-RED's ``red.js``.
        folder: for its settings, flows and log.
    """

    def __init__(self, script: Path, folder: Path) -> None:
        self._script, self._folder, self._port = script, folder, free_port()
        self.log_path = folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        text = SETTINGS.format(port=self._port, folder=json.dumps(str(folder)))
        (folder / "settings.js").write_text(text)

    def start(self) -> None:
        """Starts and returns when its API answers."""
        command = ["node", str(self._script), "--settings", str(self._folder / "settings.js")]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for_port(self._port, START_S)

    def stop(self) -> None:
        """Ends it."""
        if self._process:
            self._process.terminate()
            self._process.wait(START_S)
            self._process = None

    def deploy(self, flows: list[dict[str, Any]]) -> None:
        """Replaces all flows and waits until they are connected to their broker."""
        self._post("flows", flows)
        by_s = time.monotonic() + START_S
        while "Connected to broker" not in self.log_path.read_text():
            assert time.monotonic() < by_s, self.log_path.read_text()
            time.sleep(0.1)

    def press(self, node_id: str) -> None:
        """Presses an inject node's button."""
        self._post(f"inject/{node_id}", {})

    def _post(self, path: str, body: Any) -> None:
        headers = {"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"}
        url = f"http://127.0.0.1:{self._port}/{path}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=START_S) as answer:
            assert answer.status in (200, 204)
