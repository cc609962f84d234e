"""Line lists as they really come: two languages, many date forms, duplicates; made fit for work without losing a row.

Pure but for `reading`: a table in, a table, the rejected rows and a report of every change out.
"""
