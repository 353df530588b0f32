"""amqtt's broker, which keeps retained messages to those who subscribed to them.

Imported in the embedded broker's child process only: the daemon does not need amqtt.
"""

from __future__ import annotations

from amqtt.broker import Broker
from amqtt.session import Session


class AmqttBroker(Broker):  # type: ignore[misc]  # amqtt is untyped here
    """Works around one fault of amqtt (0.11 and 0.12).

    To a client that connects it sends what is retained for the subscriptions of *all* clients, so
    that each but the first gets every message twice, and ones that it never asked for. It means
    those of a session that goes on, and asks this method about every subscription it knows.
    """

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Passes over the subscriptions of other clients."""
        subscribers = self.subscriptions.get(subscription[0], [])
        if any(subscriber.client_id == session.client_id for subscriber, _ in subscribers):
            await super()._publish_retained_messages_for_subscription(subscription, session)
