from device.mqtt.packets import MAX_NAMED, Message, Publication, Refusals


def refused(topic: str, foreign: bool = False) -> Publication:
    return Publication(Message(topic, b"", foreign=foreign), refused="no", cause="no")


def test_a_topic_of_the_device_is_a_problem_until_it_ends_well() -> None:
    refusals = Refusals()
    assert refusals.note(refused("mien/x/event")) == refusals.problem
    assert refusals.note(refused("mien/x/event")) is None
    assert "mien/x/event" in (refusals.problem or "")
    refusals.note(Publication(Message("mien/x/event", b""), acknowledged=True))
    assert refusals.problem is None


def test_topics_of_others_hide_no_problem_of_the_device() -> None:
    refusals = Refusals()
    told = [refusals.note(refused(f"reply/{n}", foreign=True)) for n in range(2 * MAX_NAMED)]
    assert [text for text in told if text] == [told[0]]
    assert refusals.problem is None
    assert refusals.note(refused("mien/x/event")) == refusals.problem
    assert refusals.num == 2 * MAX_NAMED + 1
