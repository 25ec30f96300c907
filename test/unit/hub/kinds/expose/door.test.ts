import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { Door, type DoorOptions, Room } from "../../../../../hub/kinds/expose/door.js";
import { eventually } from "../../../../helpers/eventually.js";
import { freePort } from "../../../../helpers/free-port.js";

/** Sends back what comes, until the client has ended. */
async function echo(socket: Socket): Promise<void> {
  for await (const data of socket.iterator({ destroyOnReturn: false })) socket.write(data);
  socket.end();
  await once(socket, "finish");
}

/** Resolves to what the connection broke with, when it is over. */
function closed(socket: Socket): Promise<Error | null> {
  return new Promise((resolve) => {
    socket.on("close", () => resolve(socket.errored));
  });
}

async function open(more: Partial<DoorOptions> = {}): Promise<{ door: Door; client: () => Socket; port: number }> {
  const port = await freePort();
  const door = new Door({
    place: `127.0.0.1:${port}`,
    mayOpen: () => true,
    limits: () => ({ most: 2, idleMs: 60_000 }),
    carry: async (socket, { onReached }) => {
      onReached();
      await echo(socket);
    },
    room: new Room(10),
    onChange: () => undefined,
    ...more,
  });
  onTestFinished(() => door.close());
  await door.open();
  const client = (): Socket => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
    return socket;
  };
  return { door, client, port };
}

it("carries bytes both ways while one side has ended, and counts them", async () => {
  const { door, client } = await open();
  const socket = client();
  socket.end("words");
  expect(await text(socket)).toBe("words");
  await eventually(() => {
    expect(door.figures).toEqual({ connections: 0, total: 1, refused: 0, failed: 0, bytesIn: 5, bytesOut: 5 });
  });
  expect(door.fault).toBe("");
});

it.each([
  ["of its own", {}],
  ["of all", { room: new Room(2), limits: () => ({ most: 100, idleMs: 60_000 }) }],
])("resets connections beyond the limit %s, and takes others when there is room again", async (_whose, more) => {
  const { door, client } = await open(more);
  const [first, second] = [client(), client()];
  await eventually(() => expect(door.figures.connections).toBe(2));
  expect(await closed(client())).toMatchObject({ code: "ECONNRESET" });
  expect(door.figures).toMatchObject({ connections: 2, total: 2, refused: 1 });
  first.destroy();
  await eventually(() => expect(door.figures.connections).toBe(1));
  const fourth = client();
  fourth.end("again");
  expect(await text(fourth)).toBe("again");
  second.destroy();
});

it("closes a connection that is silent", async () => {
  const { client } = await open({ limits: () => ({ most: 1, idleMs: 50 }) });
  const socket = client();
  socket.resume();
  await once(socket, "end");
});

it("keeps what the last connection met until one gets through, and resets the client", async () => {
  let refuses = true;
  const { door, client } = await open({
    carry: async (socket, { onReached }) => {
      if (refuses) throw new Error("nobody listens there");
      onReached();
      await echo(socket);
    },
  });
  expect(await closed(client())).toMatchObject({ code: "ECONNRESET" });
  await eventually(() => expect(door.figures).toMatchObject({ connections: 0, failed: 1 }));
  expect(door.obstacle).toMatchObject({ message: "nobody listens there" });
  refuses = false;
  const second = client();
  second.end("words");
  expect(await text(second)).toBe("words");
  await eventually(() => expect(door.obstacle).toBeUndefined());
});

it("does not take a connection that ends before its server was reached for a proof of anything", async () => {
  let refuses = true;
  const { door, client } = await open({
    carry: async () => {
      if (refuses) throw new Error("nobody listens there");
    },
  });
  await closed(client());
  refuses = false;
  const second = client();
  second.resume();
  await once(second, "end");
  await eventually(() => expect(door.figures).toMatchObject({ connections: 0, total: 2, failed: 1 }));
  expect(door.obstacle).toBeDefined();
});

it("ends its connections when it is closed, and nothing of that is a failure", async () => {
  let aborted = false;
  const { door, client } = await open({
    carry: (_, { signal }) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted = true;
          reject(signal.reason);
        });
      }),
  });
  const socket = client();
  await eventually(() => expect(door.figures.connections).toBe(1));
  door.close();
  await closed(socket);
  await eventually(() => expect(door.figures).toMatchObject({ connections: 0, failed: 0 }));
  expect(aborted).toBe(true);
});

it("tries again when its port is free again", async () => {
  const port = await freePort();
  const other = createServer().listen({ host: "127.0.0.1", port });
  await once(other, "listening");
  const { door } = await open({ place: `127.0.0.1:${port}` });
  expect(door.fault).toBe("another program listens there");
  other.close();
  await eventually(() => expect(door.fault).toBe(""));
});

it("does not open where the settings of the hub do not allow it any more", async () => {
  const { door } = await open({ mayOpen: () => false });
  expect(door.fault).toContain("exposeListen");
});
