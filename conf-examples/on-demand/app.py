#!/usr/bin/python3
"""app.py DIRECTORY PORT: an application that initializes when asked to.

POST /initialize starts the initialization, once, in the background, and answers
202.  Other requests are answered after it has finished.
"""

import os
import sys
import threading
import time

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

directory = sys.argv[1]
port = int(sys.argv[2])
steps = int(os.environ.get('STEPS', '20'))

begun = threading.Lock()


def say(name, text):
    path = os.path.join(directory, name)

    # by renaming, so that it is never read half-written

    with open(path + '.new', 'w') as file:
        file.write(text + '\n')

    os.rename(path + '.new', path)


def initialize():
    try:
        for step in range(steps):
            say('.progress', f'{step}/{steps} packages')
            time.sleep(0.05)

        say('.initialized', time.strftime('%FT%TZ', time.gmtime()))

    except Exception as error:
        say('.init-failed', str(error))


class Handler(BaseHTTPRequestHandler):

    def answer(self, status, text):
        body = (text + '\n').encode()

        self.send_response(status)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get('Content-Length', 0)))

        if self.path != '/initialize':
            self.answer(404, 'not found')

        elif begun.acquire(blocking=False):
            threading.Thread(target=initialize, daemon=True).start()
            self.answer(202, 'begun')

        else:
            self.answer(202, 'begun before')

    def do_GET(self):
        if os.path.exists(os.path.join(directory, '.initialized')):
            self.answer(200, 'hello')
        else:
            self.answer(500, 'not initialized')


ThreadingHTTPServer(('127.0.0.1', port), Handler).serve_forever()
