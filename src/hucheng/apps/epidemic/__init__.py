"""Epidemics: who met whom, where it goes, where it stands; on files, without a node.

``hucheng epidemic …`` and this package are the same science, file in and file out or table in and table out.

May touch: `hucheng.gate`, `hucheng.rules`, `hucheng.decisions`, `hucheng.cases`, `hucheng.portals`.
Never: the name of a hub, a disease or a place in code; a vintage later than the date it forecasts for; a clock.
"""
