"""Who met whom: contacts of cases from visits (who was where, from when until when) or from proximity sensors.

`index.Index` keeps a city's visits so that a search costs what the cases' own stays cost; `relational` says the same in
one expression for DuckDB and Spark; `proximity` is for records of who was near whom. Never: a clock, chance, a network.
"""
