// node's `ws`: node ws.js PORT [CERTIFICATE KEY]
// Echo and broadcast as its README shows them; rooms are sets of clients.
"use strict";
const fs = require("fs");
const { WebSocketServer, WebSocket } = require("ws");

const [port, certificate, key] = process.argv.slice(2);
const pages = { "/plaintext": ["text/plain", "Hello, World!"], "/json": ["application/json", null] };

function serve(request, response) {
  let [type, body] = pages[request.url] ?? ["text/plain", request.url.match(/^\/users\/([^/]+)$/)?.[1]];
  if (request.url === "/json") body = JSON.stringify({ message: "Hello, World!" });
  response.writeHead(body ? 200 : 404, { "Content-Type": type, "Content-Length": Buffer.byteLength(body ?? "") });
  response.end(body);
}

const server = certificate
  ? require("https").createServer({ cert: fs.readFileSync(certificate), key: fs.readFileSync(key) }, serve)
  : require("http").createServer(serve);
server.keepAliveTimeout = 0;

const perMessageDeflate = {
  threshold: 0,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
  zlibDeflateOptions: { level: 1 },
};
const plain = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const deflating = new WebSocketServer({ noServer: true, perMessageDeflate });
const rooms = new Map();

function join(socket, name) {
  if (!rooms.has(name)) rooms.set(name, new Set());
  const room = rooms.get(name);
  room.add(socket);
  socket.on("close", () => room.delete(socket));
  socket.on("message", (data, isBinary) => {
    for (const client of room)
      if (client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
  });
}

server.on("upgrade", (request, tcp, head) => {
  const path = request.url;
  (path.startsWith("/deflate/") ? deflating : plain).handleUpgrade(request, tcp, head, (socket) => {
    socket.on("error", () => {});
    if (path === "/echo") socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
    else join(socket, path);
  });
});
server.listen(Number(port), "127.0.0.1", 4096);
