"""What was done to the product, how often, and what it lost: ``docs/reliability.md``."""
