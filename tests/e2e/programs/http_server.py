# SPDX-License-Identifier: BSD-3-Clause
"""An HTTP server of the standard library on an inherited listening socket, TCP or UNIX: descriptor 3, or the argument.
It serves the files of its directory, answers PUT with the SHA-256 of the body, and logs who asked from where to where.
"""
import hashlib
import http.server
import socket
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left:
            part = self.rfile.read(min(left, 1 << 16))
            if not part:
                raise ConnectionError("the body ends early")
            digest.update(part)
            left -= len(part)
        body = digest.hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        names = self.connection.getpeername(), self.connection.getsockname()
        print(*("{}:{}".format(*n) if isinstance(n, tuple) else "unix" for n in names), self.command, self.path,
              code.value if hasattr(code, "value") else code, self.headers.get("X-Forwarded-For", "-"), flush=True)


class Server(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("", 0), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = socket.socket(fileno=int(sys.argv[1]) if sys.argv[1:] else 3)


Server().serve_forever()
