#!/usr/bin/perl

# The postgres check on tables made by the migration tools that Debian has:
# Alembic, Django, Rails.

use FindBin;
use lib "$FindBin::Bin/lib";
use InitGate;
use InitGate::Checks;
use InitGate::Postgres;

my $t = InitGate->new(workers => 1);
my $pg = $t->postgres;
my $port = $pg->port;

my $url = "postgresql://postgres\@127.0.0.1:$port/test";

sub tool {
    my (@command) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        chdir $t->dir;
        open STDOUT, '>>', 'tools.log';
        open STDERR, '>&', \*STDOUT;
        exec @command or POSIX::_exit(127);
    }

    waitpid $pid, 0;

    return $? == 0 || !diag($t->read('tools.log'));
}


# Alembic: two branches

$t->write('alembic/env.py', <<'PY');
from alembic import context
from sqlalchemy import create_engine

engine = create_engine(context.config.get_main_option('sqlalchemy.url'))

with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
PY

for (['ae10', 'None'], ['b27c', "'ae10'"], ['c300', "'ae10'"]) {
    my ($revision, $down) = @$_;

    $t->write("alembic/versions/$revision.py", <<"PY");
from alembic import op
import sqlalchemy as sa

revision = '$revision'
down_revision = $down
branch_labels = None
depends_on = None

def upgrade():
    op.create_table('$revision', sa.Column('id', sa.Integer))
PY
}

$t->write('alembic.py.run', <<'PY');
import sys
from alembic import command
from alembic.config import Config

config = Config()
config.set_main_option('script_location', 'alembic')
config.set_main_option('sqlalchemy.url', sys.argv[1])
command.upgrade(config, sys.argv[2])
PY

sub alembic { tool('/usr/bin/python3', 'alembic.py.run', $url, @_) }


# Django

$t->write('shop/__init__.py');
$t->write('shop/migrations/__init__.py');

for (['0001_initial', ''], ['0002_prices', "('shop', '0001_initial')"]) {
    my ($name, $after) = @$_;

    $t->write("shop/migrations/$name.py", <<"PY");
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [$after]
    operations = [migrations.RunSQL('CREATE TABLE shop_$name (id int)')]
PY
}

$t->write('django.py.run', <<'PY');
import sys
sys.path.insert(0, '.')
import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    INSTALLED_APPS=['shop'],
    DATABASES={'default': {
        'ENGINE': 'django.db.backends.postgresql', 'NAME': 'test',
        'USER': 'postgres', 'HOST': '127.0.0.1', 'PORT': sys.argv[1]}})
django.setup()
call_command('migrate', 'shop', sys.argv[2])
PY

sub django { tool('/usr/bin/python3', 'django.py.run', $port, @_) }


# Rails

for (['20240101000000', 'Initial', ''], ['20240201000000', 'Prices', ''],
    ['20240301000000', 'Broken', '; raise "broken"'])
{
    my ($version, $name, $then) = @$_;

    $t->write("rails/${version}_" . lc($name) . '.rb', <<"RB");
class $name < ActiveRecord::Migration[6.1]
  def up
    execute 'CREATE TABLE rails_\L$name\E (id int)'$then
  end
end
RB
}

$t->write('rails.rb', <<'RB');
require 'logger'
require 'active_record'

ActiveRecord::Base.establish_connection(ARGV[0])
ActiveRecord::Migrator.migrations_paths = ['rails']

pool = ActiveRecord::Base.connection_pool
owner = pool.respond_to?(:migration_context) ? pool
                                             : ActiveRecord::Base.connection
begin
  owner.migration_context.migrate(ARGV[1].to_i)
rescue StandardError => e
  raise unless e.message.include?('broken')
end
RB

sub rails { tool('/usr/bin/ruby', 'rails.rb', $url, @_) }


my $db = "host=127.0.0.1 port=$port dbname=test user=postgres";

$t->run(http => <<"CONF");
    init_checks app {
        interval 50ms;
        timeout 1m;
        check file %%DIR%%/never name=never;
        check postgres "$db" name=alembic migrations=alembic
              version=b27c,c300;
        check postgres "$db" name=alembic_exact migrations=alembic
              version=ae10 exact;
        check postgres "$db" name=django migrations=django
              version=shop.0002_prices;
        check postgres "$db" name=django_exact migrations=django
              version=shop.0001_initial exact;
        check postgres "$db" name=rails migrations=rails
              version=20240201000000;
        check postgres "$db" name=rails_exact migrations=rails
              version=20240101000000 exact;
        check postgres "$db" name=rails_broken migrations=rails
              version=20240301000000;
    }
    server {
        listen 127.0.0.1:%%PORT_8080%%;
        location = /init { init_status details=on; }
    }
CONF

settles($t, $_, 'waiting uninitialized') for qw(alembic django rails);

ok(alembic('ae10'), 'Alembic: first revision');
settles($t, 'alembic', 'waiting other_revision',
    qr/^at ae10, expected b27c,c300$/);
settles($t, 'alembic_exact', 'passed');
ok(alembic('heads'), 'Alembic: heads');
settles($t, 'alembic', 'passed', qr/^at b27c,c300/);
settles($t, 'alembic_exact', 'waiting other_revision');

ok(django('0001'), 'Django: first migration');
settles($t, 'django', 'waiting other_revision',
    qr/^at shop\.0001_initial, expected shop\.0002_prices$/);
settles($t, 'django_exact', 'passed');
ok(django('0002'), 'Django: second migration');
settles($t, 'django', 'passed');
settles($t, 'django_exact', 'waiting ahead');

ok(rails('20240101000000'), 'Rails: first migration');
settles($t, 'rails', 'waiting behind',
    qr/^at 20240101000000, expected 20240201000000$/);
settles($t, 'rails_exact', 'passed');
ok(rails('20240301000000'), 'Rails: up to a migration that fails');
settles($t, 'rails', 'passed');
settles($t, 'rails_exact', 'waiting ahead');
settles($t, 'rails_broken', 'waiting behind',
    qr/^at 20240201000000, expected 20240301000000$/);

done_testing;
