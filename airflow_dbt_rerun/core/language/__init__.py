"""How conditions, stops, waits and policies are written: in Python, as plain data, in words, as a JSON Schema.

``values`` says what an argument may be, ``calls`` how a call is written; ``questions`` are the conditions,
``strategies`` tenacity's stops and waits. What people use of it is in ``core.conditions`` and ``core.policy``.
"""
