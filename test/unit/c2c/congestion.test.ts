import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { avoidPacing } from "../../../agent/network/c2c/engine/congestion.js";
import { readTcpMinRttMs, SystemCallError, setCongestionControl } from "../../../agent/network/c2c/engine/native.js";

/** Calls with the descriptor of a connection within this host. */
async function withConnection(use: (fd: number, port: number) => void | Promise<void>): Promise<void> {
  const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const socket = connect({ host: "127.0.0.1", port: address.port });
  try {
    await once(socket, "connect");
    // The descriptor has no public name.
    await use((socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd, address.port);
  } finally {
    socket.destroy();
    server.close();
  }
}

test("a connection within a host has a round trip, and it is short", async () => {
  await withConnection((fd) => {
    expect(readTcpMinRttMs(fd)).toBeGreaterThan(0);
    expect(readTcpMinRttMs(fd)).toBeLessThan(1_000);
  });
});

test("near hosts' connections are not paced, whatever the host's default is", async () => {
  await withConnection(async (fd, port) => {
    setCongestionControl(fd, "reno");
    avoidPacing(fd);
    const { stdout } = await run("ss", ["-Htni", "dport", "=", `:${port}`]);
    expect(stdout).toMatch(/\bcubic\b/);
  });
});

test("an algorithm that the kernel lacks is told", async () => {
  await withConnection((fd) => expect(() => setCongestionControl(fd, "no-such-thing")).toThrow(SystemCallError));
});

test("what is no TCP connection is left alone", () => {
  expect(() => avoidPacing(-1)).not.toThrow();
});
