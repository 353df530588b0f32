"""What the workstation's commands need beyond the device's packages."""

from __future__ import annotations

import importlib.util

from device.errors import UsageError


def require_packages() -> None:
    """Says what to do where Keras is missing: ``.venv`` has what the device needs and no more.

    Raises:
        UsageError: it is missing.
    """
    if importlib.util.find_spec("keras") is None:
        raise UsageError(
            "keras is not installed for this Python; `make dev` puts it into "
            ".venv-dev: go on with .venv-dev/bin/python"
        )
