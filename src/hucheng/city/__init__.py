"""Linjiang 临江, a city that does not exist: its people, places, staff and devices, made from a seed.

Nobody in it can be a real person: identity numbers are well-formed but their area code (990xxx) is assigned to no
place, telephone numbers begin with 100, and every device is labelled simulated. Imported by the command line and by
tests only. Generation is pure (seed and time in, columns out); `create` writes a city into a new home, `feeds`
speaks MQTT as the homes' gateways would. Never reads real data.
"""
