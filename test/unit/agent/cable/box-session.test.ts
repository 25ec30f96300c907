import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { boxProtocol, type BoxView } from "../../../../agent/engine/protocol/box-protocol.js";
import { BoxSession } from "../../../../agent/cable/box-session.js";
import { A2bSpec, A2bState, A2bStatus } from "../../../../proto/gen/zor/v1/a2b.js";
import { createLog } from "../../../../lib/log.js";
import { onLines } from "../../../helpers/socket-lines.js";

function view(box: string, uid: string): BoxView {
  const port = (side: "a" | "b", lan: string) => ({ name: `zb${uid}${side}`, lan, ...unplugged });
  return {
    spec: {
      box,
      uid,
      spec: A2bSpec.fromPartial({ lanA: "lan1", lanB: "lan2", seed: 1n }),
      revision: "r",
      dropPrograms: [],
    },
    status: A2bStatus.fromPartial({ state: A2bState.A2B_STATE_DOWN, reason: "not plugged" }),
    ports: [port("a", "lan1"), port("b", "lan2")],
    ...{ aToBBps: 0n, bToABps: 0n },
  };
}

const unplugged = { ready: true, plugged: false, generation: "g" };

/** An engine that knows these boxes and answers yes to everything. */
class FakeEngine {
  readonly asked: Record<string, unknown>[] = [];
  readonly #clients: Socket[] = [];
  readonly #server = createServer((socket) => this.#onClient(socket));

  static async start(): Promise<FakeEngine> {
    const started = new FakeEngine();
    started.#server.listen(join(directory, "boxes.sock"));
    await once(started.#server, "listening");
    return started;
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #onClient(socket: Socket): void {
    this.#clients.push(socket);
    onLines(socket, (line) => {
      const { id, method, request } = JSON.parse(line) as { id: number; method: string; request: object };
      this.asked.push({ method, ...request });
      socket.write(`${JSON.stringify({ id, result: {} })}\n`);
      const boxes = [view("hosts/h1/a2bs/x", "u1"), view("links/l1", "u2")];
      const event = boxProtocol.event.toJSON({ pid: 42, boxes, removed: [], snapshot: true });
      if (method === "watch") socket.write(`${JSON.stringify({ event })}\n`);
    });
  }
}

let directory: string;
let engine: FakeEngine;
let session: BoxSession;
let plugged: string[];
let connected: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-box-"));
  engine = await FakeEngine.start();
  [plugged, connected] = [[], 0];
  session = new BoxSession({
    socketPath: join(directory, "boxes.sock"),
    prefix: "hosts/h1/a2bs/",
    plugger: {
      plug: async ({ lan, port, endpoint }) => void plugged.push(`${port} ${lan} ${endpoint}`),
      unplug: async () => undefined,
      find: () => undefined,
      list: () => [],
      onChange: () => () => undefined,
    },
    log: createLog("test", { write: () => undefined }),
    onConnected: async () => {
      connected += 1;
    },
    onChange: () => undefined,
  });
});

afterEach(async () => {
  await session.close();
  await engine.end();
  await rm(directory, { recursive: true });
});

test("the taps of these boxes are plugged and the engine is told of each; others' boxes are left alone", async () => {
  const ofBox = { method: "setPort", uid: "u1", generation: "g" };
  await expect
    .poll(() => engine.asked.slice(1))
    .toEqual([
      { ...ofBox, port: "zbu1a" },
      { ...ofBox, port: "zbu1b" },
    ]);
  expect(plugged).toEqual(["zbu1a lan1 hosts/h1/a2bs/x", "zbu1b lan2 hosts/h1/a2bs/x"]);
  expect([...session.views.keys()]).toEqual(["u1"]);
  expect(session.enginePid).toBe(42);
});

test("while the engine is away nothing is known of boxes; when it is back they are taken up again", async () => {
  await expect.poll(() => plugged.length).toBe(2);
  await engine.end();
  await expect.poll(() => session.connected).toBe(false);
  expect([session.views.size, session.enginePid]).toEqual([0, 0]);
  await expect(session.delete("u1")).rejects.toMatchObject({ reason: "ENGINE_GONE" });
  engine = await FakeEngine.start();
  await expect.poll(() => plugged.length).toBe(4);
  expect(connected).toBe(2);
});
