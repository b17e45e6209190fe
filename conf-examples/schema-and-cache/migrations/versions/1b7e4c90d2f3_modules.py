"""The table of modules."""

import sqlalchemy as sa

from alembic import op

revision = '1b7e4c90d2f3'
down_revision = None


def upgrade():
    op.create_table(
        'modules',
        sa.Column('name', sa.Text, primary_key=True),
        sa.Column('title', sa.Text, nullable=False),
    )


def downgrade():
    op.drop_table('modules')
