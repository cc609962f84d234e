"""How good forecasts were: weighted interval score and its parts, coverage, PIT, and fair comparison of models.

`read` takes hubverse submissions, `score` compares them with what came to be, `compare` compares models on the tasks
they share, `report` shows it. Numbers in, numbers out; nothing here knows how a forecast was made.
"""
