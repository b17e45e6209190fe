#!/usr/bin/python3
"""An application that migrates its schema, fills its cache and creates a
marker in /data.  Until then it has nothing to serve.

It writes its progress to /data/.progress and the reason of a failure to
/data/.init-failed.  If the marker exists, nothing is done again.
"""

import os
import sys
import threading
import time

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
import redis

MODULES = 200

MIGRATIONS = [
    'create table modules (name text primary key, title text not null)',
    'create index modules_title on modules (title)',
    """insert into modules select 'module-' || n, 'Module ' || n
       from generate_series(1, %d) n""" % MODULES,
]

STEPS = len(MIGRATIONS) + MODULES


def secret(name):
    with open('/run/secrets/' + name) as file:
        return file.read().rstrip('\n')


def say(name, text):
    path = '/data/' + name

    # by renaming, so that it is never read half-written

    with open(path + '.new', 'w') as file:
        file.write(text + '\n')

    os.rename(path + '.new', path)


def database():
    # wait while the database starts

    while True:
        try:
            return psycopg2.connect(password=secret('db-password'))
        except psycopg2.OperationalError as error:
            print('database:', str(error).strip(), flush=True)
            time.sleep(1)


def migrate(connection):
    with connection, connection.cursor() as cursor:
        cursor.execute('create table if not exists schema_version '
                       '(version integer primary key)')
        cursor.execute('select coalesce(max(version), 0) from schema_version')
        version = cursor.fetchone()[0]

    for n, migration in enumerate(MIGRATIONS, 1):
        if n <= version:
            continue

        with connection, connection.cursor() as cursor:
            cursor.execute(migration)
            cursor.execute('insert into schema_version values (%s)', [n])

        say('.progress', f'{n}/{STEPS} migrating')
        time.sleep(1)


def fill(connection, cache):
    with connection, connection.cursor() as cursor:
        cursor.execute('select name, title from modules order by name')

        for n, (name, title) in enumerate(cursor, 1):
            cache.hset('modules', name, title)
            say('.progress', f'{len(MIGRATIONS) + n}/{STEPS} filling the cache')
            time.sleep(0.04)


def initialize(cache):
    try:
        connection = database()
        migrate(connection)
        fill(connection, cache)

        say('.initialized', time.strftime('%FT%TZ', time.gmtime()))
        print('initialized', flush=True)

    except Exception as error:
        say('.init-failed', str(error).strip())
        sys.exit(f'initialization failed: {error}')


class Handler(BaseHTTPRequestHandler):

    def do_GET(self):
        body = f'hello, with {cache.hlen("modules")} modules\n'.encode()

        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


cache = redis.Redis('cache', password=secret('cache-password'))

if os.path.exists('/data/.initialized'):
    print('initialized before', flush=True)
else:
    threading.Thread(target=initialize, args=[cache], daemon=True).start()

ThreadingHTTPServer(('', 8000), Handler).serve_forever()
