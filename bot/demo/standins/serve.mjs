// Runs the stand-ins for GitHub and Slack, and a small control server for whoever started them.
//
// The first line of standard input is the configuration (JSON, see `bot/demo/standins.py`); the first line of standard
// output is one JSON object with the addresses, printed when all of them answer. The process ends when its standard
// input closes, so that it never outlives its parent, or on SIGTERM.
//
// Control server: GET /deliveries (what GitHub sent, newest last), POST /reset (a fresh world; the body may change
// base addresses, seeds and hooks), GET /health.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

import { createEmulator } from "emulate";

const deliveries = [];
const realFetch = globalThis.fetch;

// The emulator numbers its deliveries from 1 after every start; GitHub sends GUIDs, and the bot counts each id once.
globalThis.fetch = async (address, options = {}) => {
  const headers = new Headers(options.headers);
  if (!headers.has("x-github-delivery")) return realFetch(address, options);
  headers.set("x-github-delivery", randomUUID());
  const delivery = {
    id: headers.get("x-github-delivery"),
    event: headers.get("x-github-event"),
    action: JSON.parse(options.body).action ?? null,
    url: String(address),
    at: new Date().toISOString(),
    status: null,
    body: options.body,
  };
  deliveries.push(delivery);
  const response = await realFetch(address, { ...options, headers });
  delivery.status = response.status;
  return response;
};

let configuration;
let emulators = {};

async function open(service, port) {
  const { base_url: baseUrl, seed } = configuration[service];
  return createEmulator({
    service,
    port,
    baseUrl: baseUrl ?? `http://127.0.0.1:${port}`,
    seed: { tokens: seed.tokens, [service]: seed },
  });
}

// A reset makes new emulators on the old ports instead of calling their reset(): the rate limit of 5,000 requests an
// hour would otherwise count on through all tests of a session.
async function reset() {
  await Promise.all(Object.values(emulators).map((emulator) => emulator.close()));
  deliveries.length = 0;
  const [github, slack] = await Promise.all([
    open("github", configuration.github.port),
    open("slack", configuration.slack.port),
  ]);
  emulators = { github, slack };
  for (const hook of configuration.hooks ?? []) await addHook(hook);
}

async function addHook({ repository, url, secret, token }) {
  const response = await realFetch(`http://127.0.0.1:${configuration.github.port}/repos/${repository}/hooks`, {
    method: "POST",
    headers: { authorization: `token ${token}`, "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ events: ["*"], config: { url, secret, content_type: "json" } }),
  });
  if (!response.ok) throw new Error(`hook for ${repository}: ${response.status} ${await response.text()}`);
}

async function control(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const route = `${request.method} ${request.url}`;
  if (route === "GET /health") return [200, { ok: true }];
  if (route === "GET /deliveries") return [200, deliveries];
  if (route === "POST /reset") {
    const changes = chunks.length ? JSON.parse(Buffer.concat(chunks).toString()) : {};
    for (const service of ["github", "slack"]) Object.assign(configuration[service], changes[service]);
    configuration.hooks = changes.hooks ?? [];
    await reset();
    return [200, { ok: true }];
  }
  return [404, { error: `no route ${route}` }];
}

const input = createInterface({ input: process.stdin });
configuration = JSON.parse((await input[Symbol.asyncIterator]().next()).value);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));

await reset();

const controller = createServer((request, response) => {
  control(request, response)
    .catch((error) => [500, { error: String(error.stack ?? error) }])
    .then(([status, body]) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
});
await new Promise((resolve) => controller.listen(configuration.control_port ?? 0, "127.0.0.1", resolve));

console.log(
  JSON.stringify({
    github: `http://127.0.0.1:${configuration.github.port}`,
    slack: `http://127.0.0.1:${configuration.slack.port}`,
    control: `http://127.0.0.1:${controller.address().port}`,
  }),
);
