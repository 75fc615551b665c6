"""Lineage of a heal for OpenLineage: every dbt run of the chain, and the nodes in it.

Imported only after a task has ended and OpenLineage is active: it needs the extra ``openlineage``.
"""
