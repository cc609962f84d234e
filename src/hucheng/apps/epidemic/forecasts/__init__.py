"""Forecasts of weekly counts in many places: 23 quantiles, for the week of the reference date and the three after it.

Places learn from each other, from how earlier reports were revised, and from other epidemics (`weights`, each row of
which says when it was known: only what was known before the reference date is used). A blend of two sets of trees and
a linear model gives the centre; each learns its own spread from errors on weeks it was not fitted to.
"""
