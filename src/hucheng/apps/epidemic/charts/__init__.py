"""Charts ready for a paper: one function a figure, each gives a Matplotlib `Figure` that nobody else holds.

No window, no global state: `paper.figure` makes one, `paper.save` writes SVG, PDF or PNG by the suffix, the same bytes
for the same data.
"""
