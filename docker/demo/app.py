#!/usr/bin/python3
"""app.py [initialized]

An application that migrates its schema, fills its cache and creates a marker
in /data.  Until then it has nothing to serve.  It writes its progress to
/data/.progress and the reason of a failure to /data/.init-failed.

It removes the marker when it starts: the marker of an earlier process does
not apply to this one.  Migrations and entries that exist are not repeated.
After SIGTERM, /health answers 503, and the process serves until the gate has
closed.

With "initialized", it tests that it answers and that the marker exists.
"""

import os
import signal
import sys
import threading
import time
import urllib.request

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

# longer than the gate's interval

DRAIN = 2


def secret(name):
    with open('/run/secrets/' + name) as file:
        return file.read().rstrip('\n')


def remove(name):
    try:
        os.remove('/data/' + name)
    except FileNotFoundError:
        pass


def write(name, text):
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


def wait_for(cache):
    # wait while Redis starts or loads

    while True:
        try:
            return cache.ping()
        except redis.exceptions.ConnectionError as error:
            print('cache:', str(error).strip(), flush=True)
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

        write('.progress', f'{n}/{STEPS} migrating')
        time.sleep(1)


def fill(connection, cache):
    if cache.hlen('modules') >= MODULES:
        return False

    with connection, connection.cursor() as cursor:
        cursor.execute('select name, title from modules order by name')

        for n, (name, title) in enumerate(cursor, 1):
            cache.hset('modules', name, title)
            write('.progress', f'{len(MIGRATIONS) + n}/{STEPS} filling the cache')
            time.sleep(0.04)

    return True


def initialize(cache):
    try:
        connection = database()
        migrate(connection)
        wait_for(cache)
        filled = fill(connection, cache)

        write('.initialized', time.strftime('%FT%TZ', time.gmtime()))
        print('initialized' if filled else 'initialized before', flush=True)

    except Exception as error:
        write('.init-failed', str(error).strip())
        sys.exit(f'initialization failed: {error}')


class Handler(BaseHTTPRequestHandler):

    stopping = False

    def do_GET(self):
        if self.path == '/health':
            status = 503 if self.stopping else 200
            body = b''
        else:
            status = 200
            body = f'hello, with {cache.hlen("modules")} modules\n'.encode()

        self.send_response(status)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


class Server(ThreadingHTTPServer):

    request_queue_size = 128

    # requests in progress are finished before the end

    daemon_threads = False


def stop(*_):
    Handler.stopping = True
    threading.Timer(DRAIN, server.shutdown).start()


if sys.argv[1:] == ['initialized']:
    urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=2)
    sys.exit(not os.path.exists('/data/.initialized'))

for name in '.initialized', '.init-failed', '.progress':
    remove(name)

cache = redis.Redis('cache', password=secret('cache-password'))
server = Server(('', 8000), Handler)
signal.signal(signal.SIGTERM, stop)

threading.Thread(target=initialize, args=[cache], daemon=True).start()
server.serve_forever()
server.server_close()
