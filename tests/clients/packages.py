"""Home Assistant's configuration in the tests: helpers, and the examples as they are shipped."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
EXAMPLE_DEVICE = "mien"  # the examples name their entities after a device called "Mien"
HELPERS = """
template:
  - light:
      - name: Hall
        turn_on: []
        turn_off: []
command_line:
  - notify:
      name: notify
      command: "cat >> {told}"
"""
OUTAGE = """
counter:
  events:
automation:
  - id: events
    alias: Count events
    mode: queued
    triggers:
      - trigger: state
        entity_id: event.outage_expression_event
        not_from: [unavailable, unknown]
        not_to: [unavailable, unknown]
    actions:
      - action: counter.increment
        target:
          entity_id: counter.events
"""


def packages(folder: Path) -> dict[str, str]:
    """By name; ``folder / "told"`` gets the notifications."""
    example = (EXAMPLES / "home-assistant.yaml").read_text()
    assert "DEVICE" in example
    return {
        "helpers": HELPERS.replace("{told}", str(folder / "told")),
        "outage": OUTAGE,
        "example": example.replace("DEVICE", EXAMPLE_DEVICE),
    }
