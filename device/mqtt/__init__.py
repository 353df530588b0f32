"""The network side: topics, JSON payloads, outbox, Home Assistant, commands."""
