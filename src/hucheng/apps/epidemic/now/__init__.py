"""Where an epidemic stands now: what is still to be reported, how fast it grows, what one case leads to.

Pure: arrays and tables in, arrays and tables out; the clock is the last date of the data, randomness a seed.
"""
