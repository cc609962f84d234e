"""What was decided about a person, and why: recorded, superseded rather than changed, expired, appealed.

May touch the ledger through `base` and the journal through `gate`. Never decides anything itself (that is
`rules`), never calls anybody (that is `cases`), never changes a decision once it is written.
"""
