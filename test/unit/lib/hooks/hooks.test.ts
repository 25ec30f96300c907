import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { EventLog } from "../../../../lib/events/event-log.js";
import { guardedLookup, refusalOfHookIp } from "../../../../lib/hooks/hook-address.js";
import { hookSettings } from "../../../../lib/hooks/hook-config.js";
import { Hooks, shownUrl } from "../../../../lib/hooks/hooks.js";
import { signature } from "../../../../lib/hooks/post.js";
import { runProgram } from "../../../../lib/hooks/run-program.js";
import type { CallContext } from "../../../../lib/grpc/service.js";
import { Event } from "../../../../proto/gen/zor/v1/event.js";
import { eventually } from "../../../helpers/eventually.js";
import { runTag } from "../../../helpers/run-tag.js";

let directory: string;
let events: EventLog;
let troubles: string[];
const closing: (() => unknown)[] = [];
const context = {} as CallContext;
const settings = z.strictObject(hookSettings);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), `${runTag}-hooks-`));
  events = await EventLog.open({ directory: join(directory, "events") });
  troubles = [];
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await events.close();
  await rm(directory, { recursive: true });
});

function record(message: string, parts: Partial<Event> = {}): void {
  const event = {
    name: `events/${events.nextId}`,
    time: new Date(),
    severity: 1,
    type: "lan.created",
    message,
    ...parts,
  };
  events.append([Event.fromPartial(event)]);
}

async function open(
  hooks: readonly object[],
  hookNetworks: readonly string[] = ["127.0.0.0/8"],
  graceMs?: number,
): Promise<Hooks> {
  const parsed = settings.parse({ hooks, hookNetworks });
  const opened = await Hooks.open({
    ...{ hooks: parsed.hooks, networks: parsed.hookNetworks, events, directory: join(directory, "hooks") },
    onTrouble: (message) => troubles.push(message),
    ...(graceMs === undefined ? {} : { graceMs }),
  });
  closing.push(() => opened.close());
  return opened;
}

interface Received {
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly message: string;
}

/** A server that takes webhooks. `answer` gives its status. */
async function receiver(
  answer: (message: string) => number = () => 204,
): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      const message = String(JSON.parse(body).event.message ?? "");
      received.push({ headers: request.headers, body, message });
      response.writeHead(answer(message), { location: "http://127.0.0.1:1/" }).end();
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  closing.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/in`, received };
}

/** An event that was received is delivered when the answer has come back: one whose hook ends before that comes again. */
async function haveDelivered(hooks: Hooks, count: bigint): Promise<void> {
  await eventually(() => expect(hooks.states[0]?.delivered).toBe(count));
}

const quick = { retrySeconds: 0.01, maxRetrySeconds: 0.02, timeoutSeconds: 60 };

describe("a webhook", () => {
  it("is shown without what may be the secret of its address", () => {
    expect(shownUrl("https://hooks.example/services/T01/B02/XXXXXXXXXXXXXXXXXXXXXXXX?key=s3cret#x")).toBe(
      "https://hooks.example/services/T01/B02/***",
    );
    expect(shownUrl("http://user:s3cret@127.0.0.1:80/in")).toBe("http://127.0.0.1/in");
  });

  it("is told the events that it wants, in their order, signed, each once over a restart", async () => {
    const { url, received } = await receiver();
    const secretFile = join(directory, "secret");
    await writeFile(secretFile, "s3cret\n");
    const config = {
      name: "pager",
      events: { severity: "warning", kinds: ["lan"] },
      webhook: { url, secretFile },
      ...quick,
    };
    record("from before the hook was there", { severity: 3 });
    const first = await open([config]);
    record("one", { severity: 2 });
    record("not bad enough");
    record("another kind", { severity: 3, type: "link.down" });
    record("two", { severity: 3 });
    await eventually(() => expect(received.map(({ message }) => message)).toEqual(["one", "two"]));
    await haveDelivered(first, 2n);
    const [{ headers = {}, body = "" } = {}] = received;
    expect(headers["x-zor-signature"]).toBe(`sha256=${signature("s3cret", String(headers["x-zor-time"]), body)}`);
    expect(headers["x-zor-delivery"]).toMatch(/^pager\/events\//);
    await first.close();
    record("while nobody delivers", { severity: 3 });
    await open([config]);
    await eventually(() => expect(received.at(-1)?.message).toBe("while nobody delivers"));
    expect(received.length).toBe(3);
  });

  it("that is under way when the program ends has a moment to end, and else gets the same delivery again", async () => {
    const held: (() => void)[] = [];
    const ids: string[] = [];
    const server = createServer((request, response) => {
      ids.push(String(request.headers["x-zor-delivery"]));
      held.push(() => void response.writeHead(204).end());
      request.resume();
    });
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    closing.push(() => server.close().closeAllConnections());
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    const config = { name: "pager", webhook: { url: `http://127.0.0.1:${port}/in` }, ...quick };
    const first = await open([config], undefined, 60_000);
    record("one");
    await eventually(() => expect(held).toHaveLength(1));
    const closed = first.close();
    held[0]?.();
    await closed;
    expect(first.states[0]?.delivered).toBe(1n);
    const second = await open([config], undefined, 0);
    record("two");
    await eventually(() => expect(held).toHaveLength(2));
    await second.close();
    await open([config], undefined, 0);
    await eventually(() => expect(held).toHaveLength(3));
    expect(ids[1]).not.toBe(ids[0]);
    expect(ids[2]).toBe(ids[1]);
    expect(troubles).toEqual([]);
  });

  it("that fails is tried again; what it never takes becomes a dead letter, which can be retried and dropped", async () => {
    let isWell = false;
    let rejected = 0;
    const { url, received } = await receiver((message) => {
      if (message === "second try" && rejected++ === 0) return 503;
      return message.startsWith("poison") && !isWell ? 500 : 200;
    });
    const config = { name: "pager", attempts: 3, webhook: { url }, ...quick };
    const hooks = await open([config]);
    for (const message of ["second try", "poison 1", "poison 2", "after"]) record(message);
    await eventually(() => expect(received.at(-1)?.message).toBe("after"));
    expect(received.filter(({ message }) => message === "poison 1").length).toBe(3);
    expect(
      new Set(received.filter(({ message }) => message === "poison 1").map(({ headers }) => headers["x-zor-delivery"]))
        .size,
    ).toBe(1);
    expect(troubles).toEqual([expect.stringMatching(/in 3 attempts: it answers 500$/), expect.any(String)]);
    await haveDelivered(hooks, 2n);
    await hooks.close();
    // Dead letters outlive the program.
    const again = await open([config]);
    const { letters } = await again.methods.listDeadLetters({ hook: "pager" }, context);
    expect(letters.map(({ event, attempts, error }) => [event?.message, attempts, error])).toEqual([
      ["poison 1", 3, "it answers 500"],
      ["poison 2", 3, "it answers 500"],
    ]);
    const ids = [letters[1]?.id ?? ""];
    expect(await again.methods.dropDeadLetters({ hook: "pager", ids, requestId: "" }, context)).toEqual({ count: 1 });
    isWell = true;
    expect(await again.methods.retryDeadLetters({ hook: "pager", ids: [], requestId: "" }, context)).toEqual({
      count: 1,
    });
    await eventually(async () =>
      expect((await again.methods.listDeadLetters({ hook: "" }, context)).letters).toEqual([]),
    );
    await eventually(async () => {
      const [state] = (await again.methods.listHooks({}, context)).hooks;
      expect(state).toMatchObject({ name: "pager", deadLetters: 0, delivered: 1n, error: "" });
    });
    await expect(again.methods.listDeadLetters({ hook: "other" }, context)).rejects.toThrow(
      /^hook other does not exist/,
    );
  });

  it("follows no redirect, and goes to no address that is not public unless its network is allowed", async () => {
    const moved = await receiver(() => 302);
    const closed = await receiver();
    const hooks = await open([{ name: "moved", attempts: 1, webhook: { url: moved.url }, ...quick }]);
    record("one");
    await eventually(() => expect(troubles.at(-1)).toMatch(/it answers 302: redirects are not followed/));
    await hooks.close();
    const named = closed.url.replace("127.0.0.1", "localhost");
    await open(
      [
        { name: "literal", attempts: 1, webhook: { url: closed.url }, ...quick },
        { name: "named", attempts: 1, webhook: { url: named }, ...quick },
      ],
      [],
    );
    record("two");
    await eventually(() => {
      expect(troubles.find((text) => text.startsWith("hook literal"))).toMatch(
        /127\.0\.0\.1 is a loopback address.*hookNetworks/,
      );
      expect(troubles.find((text) => text.startsWith("hook named"))).toMatch(/localhost leads to .*hookNetworks/);
    });
    expect(closed.received).toEqual([]);
  });

  it("does not see what hooks themselves lead to", async () => {
    const { url, received } = await receiver();
    await open([{ name: "all", webhook: { url }, ...quick }]);
    record("hook pager could not deliver", { type: "hook.trouble" });
    record("end");
    await eventually(() => expect(received.at(-1)?.message).toBe("end"));
    expect(received.length).toBe(1);
  });
});

describe("addresses of webhooks", () => {
  it.each([
    ["127.0.0.1", /loopback/],
    ["::1", /loopback/],
    ["::ffff:127.0.0.1", /loopback/],
    ["169.254.169.254", /metadata/],
    ["169.254.1.1", /link-local/],
    ["fe80::1", /link-local/],
    ["10.0.0.1", /private/],
    ["192.168.1.1", /private/],
    ["172.16.0.9", /private/],
    ["100.64.0.1", /private/],
    ["100.100.100.200", /metadata/],
    ["168.63.129.16", /metadata/],
    ["fd00::1", /private/],
    ["0.0.0.0", /unspecified/],
    ["::", /unspecified/],
    ["224.0.0.1", /multicast/],
    ["64:ff9b::7f00:1", /translated/],
    ["2002:7f00:1::", /translated/],
    ["nonsense", /not an IP/],
  ])("%s is refused", (ip, why) => {
    expect(refusalOfHookIp(ip, [])).toMatch(why);
  });

  it("that are public, or in an allowed network, are not", () => {
    expect(refusalOfHookIp("93.184.216.34", [])).toBeUndefined();
    expect(refusalOfHookIp("2606:4700::1111", [])).toBeUndefined();
    expect(refusalOfHookIp("10.1.2.3", ["10.1.0.0/16"])).toBeUndefined();
    expect(refusalOfHookIp("10.2.2.3", ["10.1.0.0/16"])).toMatch(/private/);
  });

  it("are judged as they are connected to: of a name only what it may lead to comes out", async () => {
    const resolve = async () => [
      { address: "127.0.0.1", family: 4 },
      { address: "93.184.216.34", family: 4 },
    ];
    const found = (all: boolean): Promise<unknown> =>
      new Promise((done, fail) => {
        guardedLookup([], resolve)("evil.example", { all }, (error, address) => {
          if (error === null) done(address);
          else fail(error);
        });
      });
    expect(await found(true)).toEqual([{ address: "93.184.216.34", family: 4 }]);
    expect(await found(false)).toBe("93.184.216.34");
  });
});

describe("a program that is told of events", () => {
  it("gets them on its standard input, and nothing of them among its arguments", async () => {
    const out = join(directory, "out");
    await open([{ name: "script", exec: ["/bin/sh", "-c", 'echo "$#" >> "$0"; cat >> "$0"', out], ...quick }]);
    const hostile = '$(touch /tmp/x); `id` " \n\u001b[2J --help';
    record(hostile);
    await eventually(async () => {
      const [count, body] = (await readFile(out, "utf8")).split("\n");
      expect(count).toBe("0");
      expect(JSON.parse(body ?? "").event.message).toBe(hostile);
    });
  });

  it("is told of as what it said when it fails, and ends with all that it started when it takes too long", async () => {
    const signal = new AbortController().signal;
    const run = (script: string, given = signal): Promise<void> =>
      runProgram({ command: ["/bin/sh", "-c", script], input: "{}\n", signal: given });
    await run("cat > /dev/null");
    await expect(run("echo 'no \u001b[31mroom' >&2; exit 3")).rejects.toThrow(/^ended with 3: no \\u001b\[31mroom$/);
    await expect(runProgram({ command: ["/nowhere/program"], input: "", signal })).rejects.toThrow(/^ended with 127/);
    const mark = join(directory, "pid");
    const stop = new AbortController();
    const running = run(`(echo started > ${mark}; exec sleep 1000) & wait`, stop.signal);
    await eventually(async () => expect(await readFile(mark, "utf8")).toBe("started\n"));
    stop.abort();
    await expect(running).rejects.toThrow("did not end in time");
  });
});

describe("settings of hooks", () => {
  it.each<[object, RegExp]>([
    [{ name: "a" }, /give either webhook or exec/],
    [{ name: "a", exec: ["relative"] }, /absolute path/],
    [{ name: "a", webhook: { url: "file:///etc/passwd" } }, /URL/],
    [{ name: "a", webhook: { url: "https://me:secret@example.com/" } }, /no password/],
    [{ name: "../a", exec: ["/bin/true"] }, /letters/],
    [{ name: "a", exec: ["/bin/true"], events: { filter: "color=red" } }, /color/],
    [{ name: "a", exec: ["/bin/true"], attempts: 0 }, /attempts|>=1/],
  ])("%j is refused", (hook, why) => {
    const parsed = settings.safeParse({ hooks: [hook], hookNetworks: [] });
    expect(JSON.stringify(parsed.error?.issues)).toMatch(why);
  });

  it("have each name once", () => {
    const hook = { name: "a", exec: ["/bin/true"] };
    expect(settings.safeParse({ hooks: [hook, hook], hookNetworks: ["10.0.0.0/33"] }).success).toBe(false);
    expect(settings.safeParse({ hooks: [hook], hookNetworks: [] }).success).toBe(true);
  });
});
