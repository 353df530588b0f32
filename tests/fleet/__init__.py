"""Many simulated devices against one broker: ``python -m tests.fleet``."""
