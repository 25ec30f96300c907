import { once } from "node:events";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { connect, createServer, Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { ControlClient } from "../../../../../agent/engine/protocol/control-client.js";
import { type ControlProtocol, maxLineBytes } from "../../../../../agent/engine/protocol/control-protocol.js";
import { ControlServer, type ControlService } from "../../../../../agent/engine/control/control-server.js";
import { splitLines } from "../../../../../lib/line-splitter.js";
import { notFound } from "../../../../../lib/errors.js";
import type { Codec } from "../../../../../agent/engine/protocol/codec.js";
import { onLines } from "../../../../helpers/socket-lines.js";

interface Counted {
  readonly number: number;
}
type Calls = {
  readonly double: { readonly request: Counted; readonly response: Counted };
  readonly never: { readonly request: object; readonly response: object };
};

const counted: Codec<Counted> = {
  fromJSON: (json) => {
    if (!("number" in json) || typeof json.number !== "number") throw new Error("there is no number");
    return { number: json.number };
  },
  toJSON: (message) => message,
};
const anything: Codec<object> = { fromJSON: (json) => json, toJSON: (message) => message };
const protocol: ControlProtocol<Calls, Counted> = {
  calls: { double: { request: counted, response: counted }, never: { request: anything, response: anything } },
  event: counted,
};
/** Doubles what it is asked, and tells nothing by itself. */
const service: ControlService<Calls, Counted> = {
  protocol,
  handlers: {
    double: ({ number }) => {
      if (number < 0) throw notFound("numbers/-1");
      return { number: number * 2 };
    },
    never: () => new Promise(() => undefined),
  },
  watch: () => () => undefined,
};

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-ctl-"));
  path = join(directory, "control.sock");
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function dial(onEvent: (event: Counted) => void = () => undefined): Promise<ControlClient<Calls, Counted>> {
  const client = await ControlClient.connect(path, protocol, onEvent);
  if (client === undefined) throw new Error("nobody listens");
  onTestFinished(() => client.close());
  return client;
}

describe("a control server and its client", () => {
  let server: ControlServer<Calls, Counted>;
  let watchers: ((event: Counted) => void)[];
  let answered: string[];

  beforeEach(async () => {
    [watchers, answered] = [[], []];
    server = await ControlServer.open(path, {
      ...service,
      watch: (send) => {
        watchers.push(send);
        send({ number: 0 });
        return () => void watchers.splice(watchers.indexOf(send), 1);
      },
      onAnswered: (method) => answered.push(method),
    });
  });

  afterEach(() => server.close());

  test("every request gets its own answer, however many are under way", async () => {
    const client = await dial();
    const numbers = Array.from({ length: 50 }, (_, number) => number);
    const answers = await Promise.all(numbers.map((number) => client.ask("double", { number })));
    expect(answers.map((answer) => answer.number)).toEqual(numbers.map((number) => number * 2));
    expect(answered).toHaveLength(50);
  });

  test("an error comes back with its reason and message, and the connection stays", async () => {
    const client = await dial();
    await expect(client.ask("double", { number: -1 })).rejects.toMatchObject({
      reason: "NOT_FOUND",
      message: expect.stringContaining("numbers/-1"),
    });
    expect(answered).toEqual([]);
    expect(await client.ask("double", { number: 4 })).toEqual({ number: 8 });
  });

  test("events come after watch was answered, once each, until the client goes", async () => {
    const ticks: number[] = [];
    const client = await dial(({ number }) => ticks.push(number));
    await client.watch();
    await client.watch();
    for (const send of watchers) send({ number: 1 });
    await expect.poll(() => ticks).toEqual([0, 1]);
    client.close();
    await expect.poll(() => watchers).toEqual([]);
  });

  test("who waits for an answer is told when the engine goes, and so is who asks later", async () => {
    const client = await dial();
    const waiting = client.ask("never", {});
    const failed = expect(waiting).rejects.toMatchObject({ reason: "ENGINE_GONE" });
    await client.ask("double", { number: 1 });
    server.close();
    await client.closed;
    await failed;
    await expect(client.ask("double", { number: 1 })).rejects.toMatchObject({ reason: "ENGINE_GONE" });
  });

  test("a client that does not read its events is disconnected", async () => {
    const socket = connect(path).pause();
    onTestFinished(() => void socket.destroy());
    socket.write('{"id":1,"method":"watch"}\n');
    await expect.poll(() => watchers.length).toBe(1);
    const [send] = watchers;
    const padded = { number: 1, padding: "x".repeat(1024 * 1024) };
    for (let event = 0; event < 20; event += 1) send?.(padded);
    await expect.poll(() => watchers).toEqual([]);
  });

  test("nobody but the owner can open the socket, and one that was left behind is replaced", async () => {
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const zero = () => ({ number: 0 });
    const second = await ControlServer.open(path, { ...service, handlers: { ...service.handlers, double: zero } });
    onTestFinished(() => second.close());
    expect(await (await dial()).ask("double", { number: 2 })).toEqual({ number: 0 });
  });

  test.each([
    ["no JSON", "{", 0],
    ["an unknown method", '{"id":7,"method":"halve"}', 7],
    ["a method that every object has", '{"id":7,"method":"toString"}', 7],
    ["a wrong field", '{"id":8,"method":"double","request":{"number":"x"}}', 8],
    ["a request that is no object", '{"id":9,"method":"double","request":5}', 9],
    ["nothing in it", "null", 0],
    ["no id", '{"method":"watch"}', 0],
  ])("a line with %s is answered with an error", async (_what, line, id) => {
    const socket = connect(path);
    onTestFinished(() => void socket.destroy());
    socket.write(`${line}\n`);
    const answer = await new Promise<string>((resolve) => onLines(socket, resolve));
    expect(JSON.parse(answer)).toMatchObject({ id, error: { reason: "ENGINE_ERROR" } });
  });

  test("a client that sends a line without end is disconnected", async () => {
    const socket = connect(path);
    socket.on("error", () => undefined);
    socket.write(Buffer.alloc(maxLineBytes + 1, "x"));
    await once(socket, "close");
    expect(await (await dial()).ask("double", { number: 2 })).toEqual({ number: 4 });
  });
});

describe("a client of an engine that it does not understand", () => {
  async function engine(onLine: (line: string, socket: Socket) => void): Promise<void> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      onLines(socket, (line) => onLine(line, socket));
    }).listen(path);
    await once(server, "listening");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  }

  test("passes over what is no answer and no event it knows", async () => {
    const ticks: number[] = [];
    await engine((_line, socket) => {
      const lines = [
        "",
        "x",
        "[]",
        '{"event":{"tock":1}}',
        '{"event":7}',
        '{"id":99,"result":1}',
        '{"event":{"number":5}}',
      ];
      socket.write(`${lines.join("\n")}\n{"id":1,"result":{}}\n`);
    });
    const client = await dial(({ number }) => ticks.push(number));
    await client.watch();
    expect(ticks).toEqual([5]);
  });

  test("is told that an answer of another form than asked for is none", async () => {
    await engine((_line, socket) => socket.write('{"id":1,"result":{"halved":1}}\n'));
    const client = await dial();
    await expect(client.ask("double", { number: 1 })).rejects.toMatchObject({ reason: "ENGINE_PROTOCOL" });
  });

  test("ends the connection at a line without end", async () => {
    await engine((_line, socket) => socket.write(Buffer.alloc(maxLineBytes + 1, "x")));
    const client = await dial();
    await expect(client.watch()).rejects.toMatchObject({ reason: "ENGINE_GONE" });
  });
});

test("a problem of the listening socket, such as too many open files, does not end the engine", async () => {
  const listen = vi.spyOn(Server.prototype, "listen");
  onTestFinished(() => listen.mockRestore());
  const server = await ControlServer.open(path, service);
  onTestFinished(() => server.close());
  // Without a listener an event "error" throws.
  for (const listening of listen.mock.contexts) {
    expect(listening instanceof Server && listening.emit("error", new Error("EMFILE"))).toBe(true);
  }
  expect(listen).toHaveBeenCalledOnce();
});

test("where no engine serves the socket there is no client", async () => {
  expect(await ControlClient.connect(path, protocol, () => undefined)).toBeUndefined();
});

test("lines are split wherever the chunks are cut, and a line without end is refused", () => {
  const lines: string[] = [];
  const take = splitLines(10, (line) => lines.push(line));
  expect(take(Buffer.from("on"))).toBe(true);
  expect(take(Buffer.from("e\ntwo\n\nthr"))).toBe(true);
  expect(take(Buffer.from("ee\n"))).toBe(true);
  expect(lines).toEqual(["one", "two", "", "three"]);
  expect(take(Buffer.from("01234567890"))).toBe(false);
});
