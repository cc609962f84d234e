"""Where the parts of one node are put together: broker, intake, steward, web, and the supervisor over them.

May import every room below; the only place that builds one room's objects with another's. Holds no rule, no page
and no table of its own.
"""
