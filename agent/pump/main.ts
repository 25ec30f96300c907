import { mkdir, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../lib/errors.js";
import { maxOpenBytes, type PortOpen, pumpProtocol, pumpSocket, toFrame } from "./protocol/frames.js";
import { Ports } from "./port.js";

/** Without a machine and without an agent it ends after so many milliseconds. */
const idleMs = 1000;

// Entry of dist/console-pump.js: `console-pump --directory DIR`, started by the agent, which it outlives. It reads the serial ports of all
// machines of the host, whatever becomes of the agent, so that no guest waits; without machines and agents it ends by itself.
const { values } = parseArgs({ options: { directory: { type: "string" } } });

async function main(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, pumpSocket);
  const agents = new Set<Socket>();
  let idle: NodeJS.Timeout | undefined;
  const look = (): void => {
    clearTimeout(idle);
    if (agents.size > 0 || ports.size > 0) return;
    idle = setTimeout(() => {
      // Its socket goes at once: whoever comes now starts another pump.
      server.close();
      process.exit(0);
    }, idleMs);
  };
  const ports = new Ports(look);
  const server = createServer((agent) => {
    agents.add(agent);
    look();
    agent.on("error", () => undefined);
    agent.once("close", () => {
      agents.delete(agent);
      look();
    });
    serve(agent, ports, () => {
      server.close();
      process.exit(0);
    });
  });
  await rm(path, { force: true });
  process.umask(0o177);
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  look();
}

/** @param onOther another protocol is spoken. */
function serve(agent: Socket, ports: Ports, onOther: () => void): void {
  let head = Buffer.alloc(0);
  const refuse = (reason: string): void => void agent.end(toFrame({ type: "closed", reason }));
  const onHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf(0x0a);
    if (end === -1) {
      if (head.length > maxOpenBytes) refuse("the first line is too long");
      return;
    }
    agent.off("data", onHead);
    agent.pause();
    const open = readOpen(head.toString("utf8", 0, end));
    if (open === undefined) {
      onOther();
      return;
    }
    if (open.isProbe === true) {
      refuse("");
      return;
    }
    const rest = head.subarray(end + 1);
    ports.find(open).then(
      (port) => {
        agent.on("data", (data: Buffer) => port.type(agent, data));
        port.attach(agent);
        if (rest.length > 0) port.type(agent, rest);
        agent.resume();
      },
      (error: unknown) => refuse(messageOf(error)),
    );
  };
  agent.on("data", onHead);
}

/** Undefined: it is of another version. */
function readOpen(line: string): PortOpen | undefined {
  try {
    const json: unknown = JSON.parse(line);
    if (typeof json !== "object" || json === null) return undefined;
    // Only the agent, which is root as well, can connect; its lines are of this form when the protocol is the same.
    const open = json as PortOpen;
    return open.protocol === pumpProtocol ? open : undefined;
  } catch {
    return undefined;
  }
}

process.on("uncaughtException", (error) => {
  console.error(error);
  process.exit(70);
});
if (values.directory === undefined) {
  console.error("console-pump --directory DIR: started by the agent");
  process.exit(64);
}
await main(values.directory);
