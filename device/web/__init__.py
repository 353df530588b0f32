"""The page for a browser, with ``/metrics`` and ``/healthz``: one HTTP server, off by default.

``feed`` overhears the loop, ``messages`` says it in JSON, ``access`` decides who may look,
``routes`` answers requests and ``server`` has the connections.
"""
