import { isIP, type Server } from "node:net";
import { once } from "node:events";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { quote } from "../../../lib/names.js";
import { parseForward } from "../../kit/input/forward.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { hostPort, listenFor } from "../../client/listen-for.js";
import { listenVia } from "../listen-via.js";
import { resolveName } from "../resolve.js";

interface PortForwardOptions {
  readonly host?: string;
  readonly address: string;
  readonly to: string;
  readonly nic: string;
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
    .option(
      "--to <ip>",
      "address that the server listens on (default: 127.0.0.1 inside, that of the NIC from its lan)",
      "",
    )
    .option("--nic <name>", "come from the lan of this NIC, not from inside", "")
    .action(async (text: string, ports: string[], options: PortForwardOptions) => {
      const session = open(command);
      const forwards = ports.map((text) => parseForward("ports", text));
      for (const [flag, ip] of [
        ["--address", options.address],
        ["--to", options.to],
      ] as const) {
        if (isIP(ip) === 0 && (ip !== "" || flag === "--address"))
          throw invalidArgument(flag, `${quote(ip)} is not an IP address`);
      }
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      const via = await listenVia(session);
      const servers: Server[] = [];
      try {
        for (const { local, remote } of forwards) {
          const { address, to, nic } = options;
          const place = { address, port: local };
          const { server, port } = await listenFor(via, { name, port: remote, address: to, nic }, place);
          servers.push(server);
          session.print(`${hostPort(address, port)} -> ${shortName(name)}:${remote}`);
        }
        if (!session.io.signal.aborted) await once(session.io.signal, "abort");
      } finally {
        for (const server of servers) server.close();
      }
    });
  withNotes(
    command,
    `A connection goes from inside the instance to the server: a container's is made
in its network namespace; a machine's guest needs socat, nc or python3 and an
agent. Where no agent answers, or with --nic, it comes from a free address of the
NIC's lan, to the address that the specification gives it, --to says, or the
guest is seen to have. Each side may end alone, and neither is read faster than
the other takes it. An event of the instance tells what went through.`,
  );
  withExamples(
    command,
    "zor port-forward alpha/vm1 8080:80",
    "zor port-forward alpha/web 8443:443 5432",
    "zor port-forward alpha/web 8080:80 --to 10.0.0.2",
    "zor port-forward alpha/router 8443:443 --nic eth1",
  );
}
