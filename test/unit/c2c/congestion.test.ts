import { once } from "node:events";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { Congestion } from "../../../agent/network/c2c/engine/congestion.js";
import {
  readCongestionControl,
  readTcpPath,
  SystemCallError,
  setCongestionControl,
} from "../../../agent/network/c2c/engine/native.js";

/** Calls with the descriptor of a connection within this host. */
async function withConnection(use: (fd: number) => void): Promise<void> {
  const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  const socket = connect({ host: "127.0.0.1", port: address.port });
  try {
    await once(socket, "connect");
    // The descriptor has no public name.
    use((socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd);
  } finally {
    socket.destroy();
    server.close();
  }
}

test("a connection within a host has a path, and it is short", async () => {
  await withConnection((fd) => {
    const { minRttMs, rttMs, windowBytes } = readTcpPath(fd);
    expect(minRttMs).toBeGreaterThan(0);
    expect(minRttMs).toBeLessThanOrEqual(rttMs);
    expect(windowBytes).toBeGreaterThan(0);
  });
});

test("near hosts' connections are not paced, whatever the host's default is", async () => {
  await withConnection((fd) => {
    setCongestionControl(fd, "reno");
    const congestion = new Congestion(fd);
    expect(readCongestionControl(fd)).toBe("cubic");
    expect(congestion.look()).toBeUndefined();
    expect(readCongestionControl(fd)).toBe("cubic");
  });
});

test("an algorithm that the kernel lacks is told", async () => {
  await withConnection((fd) => expect(() => setCongestionControl(fd, "no-such-thing")).toThrow(SystemCallError));
});

test("what is no TCP connection is left alone", () => {
  expect(new Congestion(-1).look()).toBeUndefined();
});
