// Caches in clients of npm: got, undici, make-fetch-happen. As caches_pypi.py has it.

import http from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { require, serve } from "./lines.mjs";

const again = { "cache-control": "max-age=0" };

const clients = {
  async got(url, bodies) {
    // got is an ES module only.
    const { default: got } = await import(pathToFileURL(join(process.env.TINTYPE_CLIENTS_NPM, "node_modules/got-cache/dist/source/index.js")));
    const cache = new Map();
    for (const headers of [{}, {}, again]) bodies.push(await got(url, { cache, headers }).buffer());
  },
  async undici(url, bodies) {
    const { Agent, interceptors, request } = require("undici");
    const dispatcher = new Agent().compose(interceptors.cache());
    for (const headers of [{}, {}, { "cache-control": "no-cache" }]) {
      const { body } = await request(url, { dispatcher, headers });
      bodies.push(Buffer.from(await body.arrayBuffer()));
    }
  },
  async "make-fetch-happen"(url, bodies, directory) {
    const fetch = require("make-fetch-happen").defaults({ cachePath: directory });
    for (const cache of ["default", "default", "no-cache"]) bodies.push(await (await fetch(url, { cache })).buffer());
  },
};

serve(async (item, { page, base }) => {
  const seen = [];
  const target = new URL(base);
  const server = http.createServer((request, response) => {
    const { connection, host, ...headers } = request.headers;
    http.get({ host: target.hostname, port: target.port, path: target.pathname.replace(/\/$/, "") + request.url, headers, agent: false }, (answer) => {
      seen.push({ status: answer.statusCode, conditional: "if-none-match" in headers || "if-modified-since" in headers });
      const { connection: _, "transfer-encoding": __, ...fields } = answer.headers;
      response.writeHead(answer.statusCode, fields);
      answer.pipe(response);
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const directory = mkdtempSync(join(tmpdir(), "clients-"));
  const bodies = [];
  try {
    const url = `http://127.0.0.1:${server.address().port}${item.path.replace("$PAGE", encodeURIComponent(page))}`;
    await clients[item.library](url, bodies, directory);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
  const same = bodies.every((body) => body.length && body.equals(bodies[0]));
  return { status: 200, json: { same, seen: seen.map((request) => request.status), conditional: seen.at(-1).conditional } };
});
