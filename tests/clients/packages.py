"""Home Assistant's configuration in the tests: helpers, and the examples as they are shipped."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
EXAMPLE_DEVICE = "hall"  # the examples name their entities after a device called "Hall"
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


BLUEPRINTS = """
counter:
  shown:
schedule:
  watch:
    name: Watch
    {days}
automation:
  - alias: Blueprint shows expression
    use_blueprint:
      path: mien/shows-expression.yaml
      input:
        expression_sensor: sensor.hall_expression
        duration: {seconds: 1}
        actions:
          - action: counter.increment
            target:
              entity_id: counter.shown
  - alias: Blueprint away
    use_blueprint:
      path: mien/away.yaml
      input:
        problem: binary_sensor.hall_problem
        duration: {seconds: 2}
  - alias: Blueprint schedule
    use_blueprint:
      path: mien/pause-by-schedule.yaml
      input:
        recognition: switch.hall_recognition
        schedule: schedule.watch
"""
DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
ALWAYS = "\n    ".join(f'{day}: [{{from: "00:00:00", to: "24:00:00"}}]' for day in DAYS)


def packages(folder: Path) -> dict[str, str]:
    """By name; ``folder / "told"`` gets the notifications."""
    example = (EXAMPLES / "home-assistant.yaml").read_text()
    assert "DEVICE" in example
    assert '"00:02:00"' in example
    return {
        "helpers": HELPERS.replace("{told}", str(folder / "told")),
        "outage": OUTAGE,
        "example": example.replace("DEVICE", EXAMPLE_DEVICE).replace('"00:02:00"', '"00:00:02"'),
        "blueprints": BLUEPRINTS.replace("{days}", ALWAYS),
    }
