"""The parts of ``benchmarks/soak.py``: what is laid down, what goes wrong, and who judges."""
