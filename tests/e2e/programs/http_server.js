// SPDX-License-Identifier: BSD-3-Clause
// An HTTP server of node's on an inherited listening socket, descriptor 3. GET is the file `body` of the working
// directory, PUT the SHA-256 of what was sent; it logs who asked from where to where.
"use strict";
const { createHash } = require("crypto");
const { createReadStream } = require("fs");

require("http").createServer((request, response) => {
  const s = request.socket;
  console.log(`${s.remoteAddress}:${s.remotePort} ${s.localAddress}:${s.localPort} ${request.method} ${request.url}`);
  if (request.method === "PUT") {
    const hash = createHash("sha256");
    request.on("data", (part) => hash.update(part));
    request.on("end", () => response.end(hash.digest("hex")));
  } else {
    createReadStream("body").pipe(response);
  }
}).listen({ fd: 3 });
