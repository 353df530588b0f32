"""From a run to what the board may run; needs the extra ``export``."""
