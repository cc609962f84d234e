"""Between nodes and networks: credentials, trust, status lists, cases that travel.

Empty for now: nothing crosses a node's border yet. When it does, it comes in here and passes the same gate.
"""
