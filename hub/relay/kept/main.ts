import { rm, stat } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { ended, endSignal } from "../../../lib/end-signals.js";
import { messageOf } from "../../../lib/errors.js";
import { isForgottenFile } from "../../../lib/forgotten-file.js";
import { LineSplitter } from "../../../lib/line-splitter.js";
import { createLog } from "../../../lib/log.js";
import { Relay } from "../relay.js";
import { relayBuild } from "./build.js";
import { GrantBook } from "./grant-book.js";
import { HubSide } from "./hub-side.js";
import { type HubMessage, keptRelayProtocol, keptRelaySocket, lineOf, maxLineBytes } from "./messages.js";

/** Without a hub and without a pair it ends after so many milliseconds: until then ends may come back by themselves. */
const idleMs = 60_000;
/** It is looked this often whether its directory is still there: without it no hub finds it again. */
const lookMs = 1_000;
const tellMs = 500;
const longestEndMs = 5_000;

// Entry of dist/hub-relay.js: `hub-relay --directory DIR`, started by the hub, which it outlives.
const ending = endSignal({ longestMs: longestEndMs, lateCode: 1 });
const { values } = parseArgs({ options: { directory: { type: "string" } } });

async function main(directory: string): Promise<void> {
  // The path of a socket holds 107 bytes, and that of a directory more.
  process.chdir(directory);
  const build = await relayBuild();
  const hub = new HubSide();
  const book = new GrantBook();
  const log = createLog("relay", {
    write: (line) => {
      const { level, msg, time: _time, pid: _pid, hostname: _host, name: _name, ...facts } = JSON.parse(line);
      hub.tell({ type: "log", level, message: String(msg ?? ""), facts });
    },
  });
  const relay = await Relay.listen({
    addresses: [],
    news: {
      onMissing: (address, why) => hub.tell({ type: "missing", address, why }),
      onTaken: (address) => hub.tell({ type: "taken", address, addresses: relay.addresses }),
    },
    grants: (linkUid) => book.of(linkUid),
    learn: (linkUid) => hub.ask(linkUid),
    onBytes: (linkUid, bytes) => hub.addBytes(linkUid, bytes),
    onState: (linkUid, state) => {
      hub.tellState(linkUid, state);
      if (!state.paired) hub.tellBytes();
      look(idleMs);
    },
    log,
  });
  let idle: NodeJS.Timeout | undefined;
  let isEnding = false;
  const end = async (): Promise<void> => {
    if (isEnding) return;
    isEnding = true;
    // Whoever comes now starts another one.
    server.close();
    await relay.close();
    hub.tellBytes();
    process.exit(0);
  };
  const look = (waitMs: number): void => {
    clearTimeout(idle);
    idle = hub.isThere || relay.pairs > 0 ? undefined : setTimeout(() => void end(), waitMs);
  };
  const listen = async (addresses: readonly string[]): Promise<void> => {
    try {
      await relay.serve(addresses);
      hub.tell({ type: "listening", addresses: relay.addresses, missing: relay.missing });
    } catch (error) {
      hub.tell({ type: "cannot-listen", message: messageOf(error) });
    }
  };
  /** How long the relay waits for the next hub when this one goes. */
  let waitMs = idleMs;
  const take = async (socket: Socket, message: HubMessage): Promise<void> => {
    // Whoever only looks is not the hub.
    if (message.type === "links" && message.isAll) {
      hub.take(socket);
      waitMs = idleMs;
      look(idleMs);
      hub.tell({ type: "states", links: relay.states });
    }
    switch (message.type) {
      case "listen":
        void listen(message.addresses);
        return;
      case "links":
        book.take(message.links, message.isAll);
        relay.recheck();
        return hub.answered(message);
      case "live?":
        return hub.tell({ type: "alive" });
      case "leave":
        // Ends of links that there are may want to come back meanwhile.
        waitMs = book.size === 0 ? 0 : idleMs;
        return;
      case "end":
        return end();
      default:
        log.error({ order: JSON.stringify(message satisfies never) }, "not an order");
    }
  };
  const server = createServer((socket: Socket) => {
    const { pairs, addresses } = relay;
    socket.write(
      lineOf({ type: "hello", protocol: keptRelayProtocol, build, pid: process.pid, pairs, addresses: [...addresses] }),
    );
    socket.on("error", () => undefined);
    socket.once("close", () => {
      if (hub.lose(socket)) look(waitMs);
    });
    const lines = new LineSplitter(maxLineBytes);
    let turn: Promise<void> = Promise.resolve();
    socket.on("data", (chunk: Buffer) => {
      turn = turn
        .then(async () => {
          // Only the hub, of the same user, can connect.
          for (const line of lines.push(chunk)) await take(socket, JSON.parse(line.toString()) as HubMessage);
        })
        .catch((error: unknown) => {
          log.error({ err: error }, "the hub says what cannot be understood");
          socket.destroy();
        });
    });
  });
  const seen = async (): Promise<string> => String((await stat(directory).catch(() => undefined))?.ino ?? "none");
  const before = await seen();
  await rm(keptRelaySocket, { force: true });
  process.umask(0o177);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(keptRelaySocket, resolve));
  look(idleMs);
  setInterval(() => hub.tellBytes(), tellMs);
  setInterval(() => void seen().then((now) => (now === before ? undefined : end())), lookMs);
  await ended(ending);
  await end();
}

process.on("uncaughtException", (error) => {
  if (isForgottenFile(error)) return;
  console.error(error);
  process.exit(70);
});
if (values.directory === undefined) {
  console.error("hub-relay --directory DIR: started by the hub");
  process.exit(64);
}
await main(values.directory);
