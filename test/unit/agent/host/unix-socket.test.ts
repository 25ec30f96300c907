import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { connectUnix } from "../../../../agent/host/unix-socket.js";

let directory: string;
let server: Server;
const open = new Set<Socket>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-"));
  server = createServer((socket) => {
    open.add(socket);
    socket.resume().on("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "s"), resolve));
});
afterEach(async () => {
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

it("a connection that is given up at whatever moment is not kept by anybody", async () => {
  for (let turns = 0; turns < 60; turns += 1) {
    const giveUp = new AbortController();
    const connecting = connectUnix(directory, "s", giveUp);
    // One that was made before it was given up is its owner's.
    const outcome = connecting.then(
      (socket) => (giveUp.signal.aborted ? "kept" : socket.destroy()),
      () => undefined,
    );
    for (let turn = 0; turn < turns % 20; turn += 1) await nextTurn();
    giveUp.abort();
    expect(await outcome).not.toBe("kept");
  }
  await expect.poll(() => open.size).toBe(0);
});
