"""``/api/v1``: what a page does, a program does too, as the same person, through the same gate. OpenAPI describes it.

A person asks with a bearer token (or, for reading only, with the session of the browser); a gateway pushes readings
with a token of its own. Errors are RFC 9457 problems. One file a group of calls; each asks the services that the pages
ask, and nothing else.
"""
