import { createServer, isIP, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { failedPrecondition, invalidArgument, messageOf } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { quote } from "../../../lib/names.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { type Registrar, ResourceArgument, withExamples } from "../command.js";
import { resolveName } from "../resolve.js";
import type { Session } from "../session.js";
import { tunnel } from "../tunnel.js";

interface PortForwardOptions {
  readonly host?: string;
  readonly address: string;
  readonly to: string;
}

interface Forward {
  readonly local: number;
  readonly remote: number;
}

/** `zor port-forward NAME [LOCAL:]REMOTE...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("port-forward")
    .description(
      "Listen on ports of this machine and pass every connection on to a server inside an instance, through the hub, until zor is interrupted. The instance needs no address.",
    )
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .argument("<ports...>", "LOCAL:REMOTE, or REMOTE for the same here; LOCAL 0 takes a free port")
    .option("--host <host>", "the host of a name without one")
    .option("--address <ip>", "address of this machine to listen on", "127.0.0.1")
    .option("--to <ip>", "address that the server listens on, as seen inside", "127.0.0.1")
    .action(async (text: string, ports: string[], options: PortForwardOptions) => {
      const session = open(command);
      const forwards = ports.map(parseForward);
      for (const [flag, ip] of [
        ["--address", options.address],
        ["--to", options.to],
      ] as const) {
        if (isIP(ip) === 0) throw invalidArgument(flag, `${quote(ip)} is not an IP address`);
      }
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      await session.connect();
      const servers: Server[] = [];
      try {
        for (const forward of forwards) servers.push(await listen(session, name, forward, options));
        if (!session.io.signal.aborted) await once(session.io.signal, "abort");
      } finally {
        for (const server of servers) server.close();
      }
    });
  command.addHelpText(
    "after",
    `
A connection goes from inside the instance to the server: a container's is made
in its network namespace; a machine's guest needs socat, nc or python3 and an
agent. Each side may end alone, and neither is read faster than the other takes
it. What went through is told as an event of the instance (zor get events).`,
  );
  withExamples(
    command,
    "zor port-forward alpha/vm1 8080:80",
    "zor port-forward alpha/web 8443:443 5432",
    "zor port-forward alpha/web 8080:80 --to 10.0.0.2",
  );
}

function parseForward(text: string): Forward {
  const [first = "", second, ...more] = text.split(":");
  if (more.length > 0) throw invalidArgument("ports", `${quote(text)} must be LOCAL:REMOTE or REMOTE`);
  const remote = parseWhole("ports", second ?? first, 1, 65_535);
  return { remote, local: second === undefined ? remote : parseWhole("ports", first, 0, 65_535) };
}

async function listen(
  session: Session,
  name: string,
  { local, remote }: Forward,
  { address, to }: PortForwardOptions,
): Promise<Server> {
  const connection = await session.connect();
  const { signal } = session.io;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    tunnel(connection, { name, port: remote, address: to }, { input: socket, output: socket }, signal)
      .catch((error: unknown) => {
        if (!signal.aborted && !socket.errored) session.note(escapeText(`zor: ${messageOf(error)}`));
      })
      .finally(() => {
        socket.destroy();
        sockets.delete(socket);
      });
  });
  server.listen({ host: address, port: local });
  try {
    await once(server, "listening");
  } catch (error) {
    const why = messageOf(error);
    throw failedPrecondition("CANNOT_LISTEN", "", `cannot listen on ${address}:${local}: ${why}; choose another port`);
  }
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : local;
  session.print(`${address.includes(":") ? `[${address}]` : address}:${port} -> ${shortName(name)}:${remote}`);
  server.on("close", () => sockets.forEach((socket) => void socket.destroy()));
  return server;
}
