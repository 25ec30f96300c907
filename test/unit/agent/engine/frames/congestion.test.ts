import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { expect, test } from "vitest";
import { Congestion } from "../../../../../agent/engine/frames/congestion.js";
import { readCongestionControl, readTcpPath, setCongestionControl } from "../../../../../agent/engine/native.js";
import { acceptUnpaced, unpacedSocket } from "../../../../../agent/engine/frames/unpaced.js";
import { SystemCallError } from "../../../../../lib/libc.js";

function descriptorOf(socket: Socket): number {
  // The descriptor has no public name.
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}

/** Calls with the descriptor of a connection within this host. */
async function withConnection(use: (fd: number) => void): Promise<void> {
  const server = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect({ host: "127.0.0.1", port: portOf(server) });
  try {
    await once(socket, "connect");
    use(descriptorOf(socket));
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

test("connections that begin unpaced are so at both ends, whatever the host's default is", async () => {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  acceptUnpaced(server);
  const dialled = unpacedSocket("127.0.0.1");
  try {
    dialled.connect({ host: "127.0.0.1", port: portOf(server) });
    await once(dialled, "connect");
    expect([dialled, await accepted.promise].map((socket) => readCongestionControl(descriptorOf(socket)))).toEqual([
      "cubic",
      "cubic",
    ]);
    dialled.write("over");
    expect(String((await once(await accepted.promise, "data"))[0])).toBe("over");
  } finally {
    dialled.destroy();
    (await accepted.promise).destroy();
    server.close();
  }
});

test("an unpaced socket that is refused says so, and leaves no descriptor", async () => {
  const server = createServer().listen(0, "::1");
  await once(server, "listening");
  const port = portOf(server);
  server.close();
  await once(server, "close");
  const socket = unpacedSocket("::1");
  socket.connect({ host: "::1", port });
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  expect(error.code).toBe("ECONNREFUSED");
  expect(socket.destroyed).toBe(true);
});
