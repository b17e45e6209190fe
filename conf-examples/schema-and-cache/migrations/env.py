"""The database is set by the environment, as for psql: PGHOST and so
on, which the database driver reads itself."""

from alembic import context
from sqlalchemy import create_engine

engine = create_engine('postgresql+psycopg2://')

with engine.connect() as connection:
    context.configure(connection=connection)

    with context.begin_transaction():
        context.run_migrations()
