"""The steward: the one process that writes decisions, cases, timers, registers and the journal."""
