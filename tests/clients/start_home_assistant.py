"""Starts Home Assistant: ``PYTHON start_home_assistant.py --config FOLDER``, in its own Python.

Without the integrations it loads unasked (frontend, backup, analytics and more, each with large
packages of its own); what a test needs stands in its ``configuration.yaml``.
"""

import sys

from homeassistant import const

const.REQUIRED_PYTHON_VER = sys.version_info[:3]

from homeassistant import __main__, bootstrap  # noqa: E402 - they read the constant

bootstrap.DEFAULT_INTEGRATIONS = set()
bootstrap.CRITICAL_INTEGRATIONS = set()

if __name__ == "__main__":
    sys.argv.append("--skip-pip")
    sys.exit(__main__.main())
