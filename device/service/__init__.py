"""The daemon's manners: systemd, health, metrics."""
