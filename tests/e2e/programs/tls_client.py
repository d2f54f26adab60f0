# SPDX-License-Identifier: BSD-3-Clause
"""TLS on the connection that it inherits as descriptor 3: reads as many bytes as the file `body` has, then sends it.
Arguments: the server's name, its certificate. Prints the protocol, the peer, and the SHA-256 of what it read."""
import hashlib
import os
import socket
import ssl
import sys

context = ssl.create_default_context(cafile=sys.argv[2])
with socket.socket(fileno=3) as plain, context.wrap_socket(plain, server_hostname=sys.argv[1]) as s:
    digest, left = hashlib.sha256(), os.path.getsize("body")
    while left and (part := s.recv(min(left, 1 << 16))):
        digest.update(part)
        left -= len(part)
    with open("body", "rb") as f:
        s.sendfile(f)
    print(s.version(), "{}:{}".format(*s.getpeername()), digest.hexdigest(), left)
