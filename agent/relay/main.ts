import { mkdir, rm, stat } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LineSplitter } from "../../lib/line-splitter.js";
import { maxLineBytes, type RelayRequest, relayProtocol, relaySocket } from "./protocol/relay-protocol.js";
import { Relays } from "./relays.js";

/** Without anything to do and without an agent it ends after so many milliseconds. */
const idleMs = 1_000;
/** It is looked this often whether the lans' namespace is still there: sockets in it would keep it for ever. */
const lookMs = 5_000;

// Entry of dist/lan-relay.js: `lan-relay --directory DIR --netns NAME`, started by the agent, which it outlives. The switch of the lans is in a net
// namespace without addresses: what it has to say to collectors and controllers is passed on here, from the host's own network.
const { values } = parseArgs({ options: { directory: { type: "string" }, netns: { type: "string" } } });

async function main(directory: string, netns: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, relaySocket);
  const relays = new Relays(netns);
  const agents = new Set<Socket>();
  let idle: NodeJS.Timeout | undefined;
  const end = (): void => {
    // Its sockets go at once: whoever comes now starts another one.
    server.close();
    relays.close();
    process.exit(0);
  };
  const look = (): void => {
    clearTimeout(idle);
    if (agents.size === 0 && relays.size === 0) idle = setTimeout(end, idleMs);
  };
  const answer = async (agent: Socket, line: string): Promise<void> => {
    const request = JSON.parse(line) as RelayRequest; // Only the agent, which is root as well, can connect.
    if (request.protocol !== relayProtocol) {
      end();
      return;
    }
    if (request.wanted !== undefined) await relays.set(request.wanted);
    agent.write(`${JSON.stringify(relays.state)}\n`);
  };
  const server = createServer((agent) => {
    agents.add(agent);
    look();
    agent.on("error", () => undefined);
    agent.once("close", () => {
      agents.delete(agent);
      look();
    });
    const lines = new LineSplitter(maxLineBytes);
    let turn: Promise<void> = Promise.resolve();
    agent.on("data", (chunk: Buffer) => {
      turn = turn
        .then(async () => {
          for (const line of lines.push(chunk)) await answer(agent, line.toString());
        })
        .catch(() => void agent.destroy());
    });
  });
  await rm(path, { force: true });
  process.umask(0o177);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  look();
  const seen = async (): Promise<string> => {
    const found = [`/run/netns/${netns}`, directory].map((each) => stat(each).catch(() => undefined));
    return (await Promise.all(found)).map((each) => each?.ino ?? "none").join();
  };
  const before = await seen();
  setInterval(() => {
    void seen().then((now) => {
      if (now !== before || now.includes("none")) end();
    });
  }, lookMs);
}

process.on("uncaughtException", (error) => {
  console.error(error);
  process.exit(70);
});
if (values.directory === undefined || values.netns === undefined) {
  console.error("lan-relay --directory DIR --netns NAME: started by the agent");
  process.exit(64);
}
await main(values.directory, values.netns);
