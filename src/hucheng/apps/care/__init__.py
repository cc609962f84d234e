"""Elder care at home: readings become facts, facts become alarms by published packs, alarms reach a named human.

May touch: `hucheng.gate` (views for its own purposes), `hucheng.rules`, `hucheng.decisions`, `hucheng.cases`,
`hucheng.portals`. Never: a threshold in code (they stand in ``rules``), a clock, a diagnosis. Not a medical device.
"""
