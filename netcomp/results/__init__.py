"""What a run leaves behind: records, totals, files, tables and figures.

Nothing is imported here, so that `netcomp.results.events` stays a leaf and a
worker process never pays for rich or matplotlib; import the module you need.
"""
