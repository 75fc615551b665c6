"""Propose a policy from the failures of the past, each rule with its evidence. It reads nothing itself."""
