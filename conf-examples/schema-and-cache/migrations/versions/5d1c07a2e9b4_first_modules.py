"""The first 200 modules."""

from alembic import op

revision = '5d1c07a2e9b4'
down_revision = '1b7e4c90d2f3'


def upgrade():
    op.execute("""
        insert into modules (name, title)
            select 'module-' || n, 'Module no. "' || n || '"'
            from generate_series(1, 200) n
    """)


def downgrade():
    op.execute('delete from modules')
