"""Alembic's entry: runs on the connection that `hucheng.base.ledger.migrate` hands over, nothing else."""

from __future__ import annotations

from alembic import context

given = context.config.attributes
context.configure(
    connection=given["connection"],
    target_metadata=given["metadata"],
    version_table=given["version_table"],
    render_as_batch=True,
    compare_type=True,
    render_item=given.get("render_item"),
    include_name=given.get("include_name"),
    include_object=given.get("include_object"),
)
context.run_migrations()
