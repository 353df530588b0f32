"""The attacks of docs/reliability.md: each is a line of the page and the tests behind it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.device import test_damaged_files
from tests.device.vision import test_mutated_models


@dataclass(frozen=True)
class Attack:
    """One line of the page.

    Attributes:
        key: its name in ``docs/reliability.json`` and on the command line.
        done: what was tried, and how often.
        demanded: what its tests refuse to pass without.
        tests: pytest's names of them.
        root: it needs the rights to mount, or to boot a container.
    """

    key: str
    done: str
    demanded: str
    tests: tuple[str, ...]
    root: bool = False


READERS = ("settings", "state", "card", "bundle", "outbox", "command")
EACH = f"{test_damaged_files.MUTATIONS:,}"
MODELS = f"{test_mutated_models.MUTATIONS:,}"
OUTAGE = "tests/device/mqtt/test_outage.py::test_no_event_is_lost_invented_or_misplaced"
DAEMON = "tests/device/test_daemon.py"
OUTBOX = "tests/device/mqtt/test_disk_outbox.py"
SYSTEMD = "tests/systemd/test_container.py"

ATTACKS = (
    Attack(
        "broker",
        "mosquitto killed (`kill -9`) 20 times at random moments while 200 events a second are "
        "published; once with the outbox in memory, once on disk",
        "every event arrives, once by `boot_id` and `seq`, in order, with its own time",
        (f"{OUTAGE}[20-disk]", f"{OUTAGE}[20-memory]"),
    ),
    Attack(
        "refusals",
        "a strict broker: 1, 2, 5 and 10 messages in flight, small packets, no QoS 1, no retained "
        "messages, refusals for now and for ever, a connection that ends at once",
        "nothing beyond its limits is sent; what is refused for now is sent again in order, what "
        "is refused for ever is counted and named",
        ("tests/device/mqtt/test_limits.py",),
    ),
    Attack(
        "daemon",
        "the whole daemon killed (`kill -9`) 50 times while it writes events to disk",
        "each event that was on disk arrives, in order; the file and the settings stay sound",
        (f"{DAEMON}::test_kill_9_of_the_daemon_damages_neither_outbox_nor_settings[50]",),
    ),
    Attack(
        "outbox",
        "a writer of the outbox killed (`kill -9`) 50 times, at full speed",
        "what `put` has taken is there, without a gap",
        (f"{OUTBOX}::test_kill_9_loses_nothing_that_was_taken_and_damages_nothing[50]",),
    ),
    Attack(
        "disk",
        "a disk that is full before the outbox has its room (3,000 events), one that others fill "
        "afterwards (6,000 events), one that is read-only",
        "full before: the oldest go, counted and said; afterwards: none is lost; read-only: events "
        "wait in memory",
        (
            f"{OUTBOX}::test_a_full_disk_drops_the_oldest_says_so_and_recovers",
            f"{OUTBOX}::test_a_disk_that_others_fill_later_costs_no_event",
            f"{OUTBOX}::test_a_read_only_disk_costs_no_start",
        ),
        root=True,
    ),
    Attack(
        "remembered",
        "what the daemon remembers: each bit of the file flipped, its writer killed 50 times",
        "a device that was paused stays paused; a killed writer leaves the old file or the new one",
        (
            "tests/device/daemon/test_state_file.py::test_no_flipped_bit_ends_a_pause",
            "tests/device/daemon/test_state_file.py::test_kill_9_never_damages_the_file[50]",
        ),
    ),
    Attack(
        "readers",
        f"{EACH} damaged files (messages) each for the {len(READERS)} readers of settings, "
        "remembered state, model card, model bundle, outbox and commands",
        f"one sentence each, within {test_damaged_files.MAX_S:g} s and "
        f"{test_damaged_files.MAX_MEMORY_MB} MB, no traceback",
        tuple(
            "tests/device/test_damaged_files.py::"
            f"test_ten_thousand_damaged_ones_are_a_sentence_each[{reader}]"
            for reader in READERS
        ),
    ),
    Attack(
        "setup",
        "10,000 damaged `mien-setup.toml`, the file that a first boot reads from the SD card",
        "what is right in it is applied, `mien-error.txt` says the rest, no password stays behind",
        ("tests/systemd/test_setup_mutations.py",),
    ),
    Attack(
        "rubbish",
        "100,000 rubbish commands over MQTT to the running daemon",
        "it answers the next good one; it has no more than 60 MB more of memory",
        (f"{DAEMON}::test_rubbish_sent_to_the_daemon_leaves_it_answering",),
    ),
    Attack(
        "models",
        f"{MODELS} damaged copies of `expression-tiny`, each with a card that fits it",
        "each is tried in a process of its own and refused in one sentence, or serves 1 to 20 faces "
        "at once without ending the process",
        (
            "tests/device/vision/test_mutated_models.py::"
            "test_two_thousand_damaged_models_neither_end_the_daemon_nor_hold_it_up",
        ),
    ),
    Attack(
        "systemd",
        "under a booted systemd (a container): a model that raises SIGSEGV and one that raises "
        "SIGABRT, put behind the self-test's back; `kill -9`; a hung process; wrong settings; "
        "releases that do not start; damaged, forged and older install bundles",
        "the shipped model serves after two restarts, and no more follow; a hung process is "
        "replaced; a bad release goes back by itself; nothing of a refused bundle runs",
        (SYSTEMD,),
        root=True,
    ),
)
