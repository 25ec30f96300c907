import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { BoxSession } from "../../../agent/network/a2b/box-session.js";
import { createLog } from "../../../lib/log.js";

test("ports that cannot be looked at are looked at again, and do not end the agent", async () => {
  const directory = await mkdtemp(join(tmpdir(), "zt-box-"));
  const socketPath = join(directory, "boxes.sock");
  const engine = createServer((socket) => {
    socket.on("error", () => undefined);
    createInterface({ input: socket }).on("line", (line) => {
      const { id } = JSON.parse(line) as { id: number };
      const snapshot = { event: "boxes", pid: 1, boxes: [], removed: [], snapshot: true };
      for (const answer of [{ id, result: {} }, snapshot]) socket.write(`${JSON.stringify(answer)}\n`);
    });
  }).listen(socketPath);
  await once(engine, "listening");
  let looks = 0;
  const session = new BoxSession({
    socketPath,
    prefix: "hosts/h1/a2bs/",
    plugger: {
      plug: async () => undefined,
      unplug: async () => undefined,
      find: () => undefined,
      list: () => {
        looks += 1;
        if (looks < 3) throw new Error("the switch is away");
        return [];
      },
      onChange: () => () => undefined,
    },
    log: createLog("test", { write: () => undefined }),
    onConnected: async () => undefined,
    onChange: () => undefined,
  });
  // A rejection that nobody handles fails the test run.
  await expect.poll(() => looks, { timeout: 10_000 }).toBe(3);
  await session.close();
  await new Promise<void>((resolve) => engine.close(() => resolve()));
  await rm(directory, { recursive: true });
});
