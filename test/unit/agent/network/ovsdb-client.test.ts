import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JsonSplitter } from "../../../../agent/network/ovs/json-splitter.js";
import { OvsdbClient, OvsdbError, type TableUpdates } from "../../../../agent/network/ovs/ovsdb-client.js";
import { OvsdbMirror } from "../../../../agent/network/ovs/ovsdb-mirror.js";
import type { OvsdbRow } from "../../../../agent/network/ovs/ovsdb-values.js";

interface Message {
  readonly id: unknown;
  readonly method?: string;
  readonly params?: unknown[];
  readonly result?: unknown;
}

/** A peer that answers each message by a script and keeps what it got. */
class ScriptedPeer {
  readonly received: Message[] = [];
  #socket: Socket | undefined;

  constructor(
    private readonly server: Server,
    readonly path: string,
    script: (message: Message, socket: Socket) => void,
  ) {
    server.on("connection", (socket) => {
      this.#socket = socket;
      socket.on("error", () => undefined);
      const splitter = new JsonSplitter();
      socket.on("data", (chunk: Buffer) => {
        for (const message of splitter.push(chunk) as Message[]) {
          this.received.push(message);
          script(message, socket);
        }
      });
    });
  }

  send(text: string): void {
    this.#socket?.write(text);
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

let directory = "";
const peers: ScriptedPeer[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-ovsdb-"));
});

afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.close();
  await rm(directory, { recursive: true });
});

async function listen(script: (message: Message, socket: Socket) => void): Promise<ScriptedPeer> {
  const path = join(directory, "db.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const peer = new ScriptedPeer(server, path, script);
  peers.push(peer);
  return peer;
}

const reply = (socket: Socket, id: unknown, result: unknown) =>
  socket.write(JSON.stringify({ id, result, error: null }));

describe("JsonSplitter", () => {
  it("finds the same values however the bytes are cut", () => {
    const values = fc.array(fc.oneof(fc.object(), fc.array(fc.jsonValue())), { maxLength: 5 });
    fc.assert(
      fc.property(values, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (list, sizes) => {
        const bytes = Buffer.from(list.map((value) => JSON.stringify(value)).join(""));
        const splitter = new JsonSplitter();
        const found: unknown[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          found.push(...splitter.push(bytes.subarray(at, at + size)));
          at += size;
        }
        expect(found).toEqual(list.map((value) => JSON.parse(JSON.stringify(value))));
      }),
    );
  });

  it("is not misled by braces and quotes inside strings", () => {
    const text = '{"a":"}{\\"]","b":["\\\\"]}';
    expect(new JsonSplitter().push(Buffer.from(`${text}${text}`))).toEqual([JSON.parse(text), JSON.parse(text)]);
  });

  it.each([
    ["a closing brace that nothing opened", "}"],
    ["malformed JSON", "{nonsense}"],
  ])("refuses %s", (_, text) => {
    expect(() => new JsonSplitter().push(Buffer.from(text))).toThrow();
  });

  it("refuses a value larger than the limit instead of buffering it", () => {
    const splitter = new JsonSplitter(100);
    expect(() => {
      for (let turn = 0; turn < 20; turn += 1) splitter.push(Buffer.from('{"a":"aaaaaaaa'));
    }).toThrow(/too large/);
  });
});

describe("OvsdbClient", () => {
  it("matches answers to requests that come back in another order", async () => {
    const held: Message[] = [];
    const peer = await listen((message, socket) => {
      held.push(message);
      if (held.length === 2) for (const one of held.reverse()) reply(socket, one.id, [{ count: Number(one.id) }]);
    });
    const client = await OvsdbClient.connect(peer.path);
    const [first, second] = await Promise.all([client.transact([]), client.transact([])]);
    expect([first[0]?.count, second[0]?.count]).toEqual([1, 2]);
    client.close();
  });

  it("answers the server's echo, so that the server keeps the connection", async () => {
    const peer = await listen((message, socket) => {
      if (message.method === "transact") socket.write(`{"id":"e1","method":"echo","params":[7]}`);
      if (message.id === "e1") reply(socket, 1, [{ count: 1 }]);
    });
    const client = await OvsdbClient.connect(peer.path);
    await client.transact([]);
    expect(peer.received.at(-1)).toMatchObject({ id: "e1", result: [7] });
    client.close();
  });

  it("rejects with the database's words when one operation of a transaction is refused", async () => {
    const peer = await listen((message, socket) =>
      reply(socket, message.id, [{ count: 1 }, { error: "constraint violation", details: "name twice" }, null]),
    );
    const client = await OvsdbClient.connect(peer.path);
    await expect(client.transact([])).rejects.toThrow(OvsdbError);
    await expect(client.transact([])).rejects.toThrow(/constraint violation \(name twice\)/);
    client.close();
  });

  it("rejects everything that waits when the connection is lost, and everything after", async () => {
    const peer = await listen((_, socket) => socket.destroy());
    const client = await OvsdbClient.connect(peer.path);
    const waiting = [client.transact([]), client.echo()];
    for (const result of await Promise.allSettled(waiting)) {
      expect(result).toMatchObject({ status: "rejected", reason: { reason: "SWITCH_UNAVAILABLE" } });
    }
    await client.closed;
    await expect(client.echo()).rejects.toMatchObject({ reason: "SWITCH_UNAVAILABLE" });
  });

  it("rejects a request the server never answers", async () => {
    const peer = await listen(() => undefined);
    const client = await OvsdbClient.connect(peer.path, { timeoutMs: 500 });
    await expect(client.echo()).rejects.toThrow(/no answer/);
    client.close();
  });

  it("closes the connection when the peer sends what is not JSON", async () => {
    const peer = await listen((_, socket) => socket.write("}}}}"));
    const client = await OvsdbClient.connect(peer.path);
    await expect(client.echo()).rejects.toMatchObject({ reason: "SWITCH_UNAVAILABLE" });
    await client.closed;
  });

  it("says that the switch is unavailable when nobody listens", async () => {
    await expect(OvsdbClient.connect(join(directory, "none.sock"))).rejects.toMatchObject({
      reason: "SWITCH_UNAVAILABLE",
    });
  });
});

describe("OvsdbMirror", () => {
  const root = { next_cfg: 1, cur_cfg: 1, bridges: ["uuid", "b1"] };
  const initial = {
    Open_vSwitch: { r1: { new: root } },
    Bridge: { b1: { new: { name: "br", ports: ["set", [["uuid", "p1"]]] } } },
    Port: { p1: { new: { name: "po", interfaces: ["uuid", "i1"] } } },
    Interface: { i1: { new: { name: "po", statistics: ["map", []] } } },
  } as unknown as TableUpdates;

  async function mirrorOf(): Promise<{ mirror: OvsdbMirror; peer: ScriptedPeer; client: OvsdbClient }> {
    const peer = await listen((message, socket) => reply(socket, message.id, initial));
    const client = await OvsdbClient.connect(peer.path);
    return { mirror: await OvsdbMirror.start(client), peer, client };
  }

  const update = (tables: object) => JSON.stringify({ id: null, method: "update", params: ["mirror", tables] });

  it("follows references from the root to interfaces", async () => {
    const { mirror, client } = await mirrorOf();
    const [bridge] = mirror.follow(mirror.root(), "bridges", "Bridge");
    const [port] = bridge === undefined ? [] : mirror.follow(bridge, "ports", "Port");
    expect(port?.columns["name"]).toBe("po");
    expect(mirror.findByName("Interface", "po")?.uuid).toBe("i1");
    client.close();
  });

  it("finds rows by what they say, as they come, change and go", async () => {
    const { mirror, peer, client } = await mirrorOf();
    let looked = 0;
    const byLan = ({ external_ids: tags }: OvsdbRow): string | undefined => {
      looked += 1;
      return typeof tags === "string" ? tags : undefined;
    };
    const lanOf = (lan: string) => mirror.findBy("Bridge", byLan, lan)?.uuid;
    const told = async (rows: object): Promise<void> => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const stop = mirror.onChange(() => resolve());
      peer.send(update({ Bridge: rows }));
      await promise;
      stop();
    };
    expect([lanOf("a"), mirror.findByName("Bridge", "br")?.uuid]).toEqual([undefined, "b1"]);
    await told({
      b2: { new: { name: "b2", external_ids: "a" } },
      b3: { new: { name: "b3", external_ids: "a" } },
      b4: { new: { name: "b4", external_ids: "c" } },
    });
    expect([lanOf("a"), lanOf("c"), mirror.findByName("Bridge", "b4")?.uuid]).toEqual(["b2", "b4", "b4"]);
    await told({ b2: { old: { external_ids: "a" }, new: { name: "new", external_ids: "d" } }, b4: { old: {} } });
    expect([lanOf("a"), lanOf("c"), lanOf("d")]).toEqual(["b3", undefined, "b2"]);
    expect(["b2", "new", "b4"].map((name) => mirror.findByName("Bridge", name)?.uuid)).toEqual([
      undefined,
      "b2",
      undefined,
    ]);
    const before = looked;
    for (let turn = 0; turn < 100; turn += 1) lanOf("d");
    expect(looked).toBe(before);
    client.close();
  });

  it("tells changes of counters from changes of structure, and forgets deleted rows", async () => {
    const { mirror, peer, client } = await mirrorOf();
    const changes: string[] = [];
    const done = Promise.withResolvers<void>();
    mirror.onChange((change) => {
      changes.push(change);
      if (changes.length === 3) done.resolve();
    });
    const counters = ["map", [["rx_packets", 5]]];
    peer.send(
      update({ Interface: { i1: { old: { statistics: ["map", []] }, new: { name: "po", statistics: counters } } } }),
    );
    peer.send(update({ Interface: { i1: { old: { error: ["set", []] }, new: { name: "po", error: "no device" } } } }));
    peer.send(update({ Port: { p1: { old: { name: "po" } } } }));
    await done.promise;
    expect(changes).toEqual(["counters", "structure", "structure"]);
    expect(mirror.list("Port")).toEqual([]);
    expect(mirror.findByName("Interface", "po")?.columns["error"]).toBe("no device");
    client.close();
  });
});
