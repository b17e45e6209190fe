#!/usr/bin/python3
"""server.py PORT SECONDS: listens at once, loads for SECONDS, then
responds to one request after the other."""

import json
import sys
import time

from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):

    def do_GET(self):
        body = json.dumps({'loaded': True, 'path': self.path}).encode()

        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


# the port is open from here on

server = HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)

# the model

time.sleep(float(sys.argv[2]))

server.serve_forever()
