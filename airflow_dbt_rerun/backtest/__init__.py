"""What a policy would have done about the failed runs of the past, and what became of them in truth.

Reads only: see :mod:`.reading`. Nothing here can start, resume or cancel a run.
"""
