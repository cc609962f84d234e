"""From finding to handled: who is called, who is next, until a named human has it, and what came of it.

May touch the ledger, the roster, and the network for notices. Reads of cases go through `gate`, and so does every
deed. Never decides about a person (that is `decisions`), never drops a case because a process died.
"""
