# SPDX-License-Identifier: BSD-3-Clause
"""For gunicorn: GET is the file `body` of the working directory, PUT the SHA-256 of what was sent."""
import hashlib


def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "PUT":
        digest = hashlib.sha256()
        while part := environ["wsgi.input"].read(1 << 16):
            digest.update(part)
        body = digest.hexdigest().encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](open("body", "rb"))
