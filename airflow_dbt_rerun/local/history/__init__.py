"""Weeks of simulated runs, and beside them the truth about each failure."""
