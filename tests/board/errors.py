"""What stops the count, in one sentence."""


class BoardCostError(Exception):
    """This machine cannot count: what is missing and what to do."""
