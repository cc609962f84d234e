"""What departments plug into: contracts, identity, keys, stream, lake, current values, ledger, quarantine.

May touch disks and sockets. Never decides who may see what (that is `gate`) and never what follows from a
value (that is `rules`).
"""
