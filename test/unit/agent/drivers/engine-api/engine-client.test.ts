import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { EngineClient } from "../../../../../agent/drivers/engine-api/engine-client.js";
import { probeEngine } from "../../../../../agent/drivers/engine-api/engine-probe.js";

const signal = new AbortController().signal;
const anything = z.unknown();

let root: string;
let socketPath: string;
let server: Server | undefined;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-engine-"));
  socketPath = join(root, "s");
});

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  await rm(root, { recursive: true, force: true });
});

/** An engine that answers pings, and everything else as it is told. */
async function serve(answer: RequestListener): Promise<EngineClient> {
  const made = createServer((request, response) => {
    if (request.url === "/_ping") response.setHeader("Api-Version", "1.41").end("OK");
    else answer(request, response);
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(socketPath, resolve));
  return new EngineClient({ socketPath, product: "docker" });
}

describe("a call to an engine", () => {
  it("speaks the newest version that both know", async () => {
    const client = await serve((request, response) => response.end(JSON.stringify({ url: request.url })));
    const answer = await client.json({ method: "GET", path: "/x", query: { a: "b c" }, signal }, anything);
    expect(answer).toEqual({ url: "/v1.41/x?a=b+c" });
  });

  it("fails with what the engine says", async () => {
    const client = await serve((_request, response) => {
      response.writeHead(409).end(JSON.stringify({ message: "name in use" }));
    });
    await expect(client.json({ method: "GET", path: "/x", signal }, anything)).rejects.toMatchObject({
      message: "name in use",
      status: 409,
    });
  });

  it.each(["not JSON", "[]"])("fails when the answer is %j", async (text) => {
    const client = await serve((_request, response) => response.end(text));
    const schema = z.object({ Id: z.string() });
    await expect(client.json({ method: "GET", path: "/x", signal }, schema)).rejects.toThrow("something unknown");
  });

  it("says what helps when there is no engine", async () => {
    const client = new EngineClient({ socketPath, product: "podman" });
    await expect(client.call({ method: "GET", path: "/x", signal })).rejects.toMatchObject({
      reason: "ENGINE_UNREACHABLE",
      message: expect.stringContaining("podmanSocket"),
    });
    expect(await probeEngine(client, { socketPath, signal })).toEqual([
      { id: "driver.podman", available: false, version: "", reason: expect.stringContaining("podmanSocket") },
    ]);
  });

  it("ends with its caller", async () => {
    const client = await serve(() => undefined);
    const abort = new AbortController();
    const call = client.call({ method: "GET", path: "/x", signal: abort.signal });
    setImmediate(() => abort.abort());
    await expect(call).rejects.toMatchObject({ name: "AbortError" });
  });

  it("is only late when the engine answers others", async () => {
    const client = await serve((request, response) => {
      if (request.url?.endsWith("/fast") === true) response.end("{}");
    });
    await expect(client.call({ method: "GET", path: "/slow", signal, deadlineMs: 50 })).rejects.toMatchObject({
      reason: "ENGINE_SILENT",
    });
    await expect(client.json({ method: "GET", path: "/fast", signal }, anything)).resolves.toEqual({});
  });

  it("fails at once while the engine answers nobody, and works again as soon as it does", async () => {
    let hangs = false;
    const held: (() => void)[] = [];
    const asked: string[] = [];
    const made = createServer((request, response) => {
      asked.push(request.url ?? "");
      const answer = () => response.setHeader("Api-Version", "1.41").end("{}");
      if (hangs) held.push(answer);
      else answer();
    });
    server = made;
    await new Promise<void>((resolve) => made.listen(socketPath, resolve));
    const client = new EngineClient({ socketPath, product: "docker" });
    const returned = new Promise<void>((resolve) => client.onReturn(resolve));
    await client.call({ method: "GET", path: "/x", signal });
    hangs = true;
    const late = client.call({ method: "GET", path: "/x", signal, deadlineMs: 50 });
    await expect(late).rejects.toMatchObject({ reason: "ENGINE_SILENT" });
    await expect(client.call({ method: "GET", path: "/y", signal })).rejects.toMatchObject({ reason: "ENGINE_SILENT" });
    expect(asked).not.toContain("/v1.41/y");
    hangs = false;
    for (const answer of held) answer();
    await returned;
    await expect(client.json({ method: "GET", path: "/x", signal }, anything)).resolves.toEqual({});
    client.close();
  });
});
