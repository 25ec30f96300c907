import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { endProcess, findProcesses, type ProcessIdentity } from "../../../lib/process.js";
import { hostServerName } from "../../../lib/tls/join.js";
import type { Nat } from "../../../proto/gen/zor/v1/nat.js";
import { ListNatsResponse } from "../../../proto/gen/zor/v1/nat_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { NetnsDoor } from "../../helpers/netns-door.js";
import { spawnOwned } from "../../helpers/owned.js";
import { watched } from "../../helpers/watched.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../agent/agent-process.js";

/** Addresses of the host and of what stands for the internet, which is all that the host reaches. */
export const [hostAddress, internetAddress, internetAddress6] = ["203.0.113.1", "203.0.113.9", "2001:db8::9"] as const;
/** Address of the cloud's metadata, which the test's internet answers for. */
export const metadataAddress = "169.254.169.254";
/** Port of web servers that tell by which address they were reached, in the internet and on the host. */
export const webPort = 8000;

/** Answers each connection with its own address and who came, one of each family; waits for nothing. */
const server = `
import socket, threading
s = socket.create_server(("::", ${webPort}), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
print("ready", flush=True)
while True:
    c, peer = s.accept()
    body = f"{c.getsockname()[0].removeprefix('::ffff:')} sees {peer[0].removeprefix('::ffff:')}\\n".encode()
    def answer(c=c, body=body):
        try:
            c.settimeout(5)
            c.recv(4096)
            c.sendall(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
        except OSError: pass
        c.close()
    threading.Thread(target=answer, daemon=True).start()
`;

/** What udhcpc runs: sets what the server gave. */
const dhcpScript = `#!/bin/sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr flush dev $interface scope global
ip addr add $ip/24 dev $interface
ip route replace default via $router
echo "search $domain" >/etc/resolv.conf
echo "nameserver $dns" >>/etc/resolv.conf
echo "got $ip as $hostname"
`;

/** A real agent on a host of its own, a net namespace beside one that stands for the internet, and zor. */
export class NatRig {
  readonly agent: AgentProcess;
  readonly host: TestNetns;
  readonly internet: TestNetns;
  readonly #door: NetnsDoor;
  readonly #before: MachineState;
  readonly #settings: string;

  private constructor(parts: {
    readonly agent: AgentProcess;
    readonly host: TestNetns;
    readonly internet: TestNetns;
    readonly door: NetnsDoor;
    readonly before: MachineState;
    readonly settings: string;
  }) {
    this.agent = parts.agent;
    this.host = parts.host;
    this.internet = parts.internet;
    this.#door = parts.door;
    this.#before = parts.before;
    this.#settings = parts.settings;
  }

  /** @param settings YAML of the agent's own settings. */
  static async start(settings = "{}\n"): Promise<NatRig> {
    const before = captureMachine();
    const [host, internet] = [await makeNetns("host"), await makeNetns("net")];
    await connect(host, internet);
    await Promise.all([serve(host), serve(internet)]);
    const agent = await AgentProcess.create(host.name);
    const path = join(agent.state, "agent.yaml");
    await writeFile(path, settings);
    const door = await NetnsDoor.open(host.name);
    const rig = new NatRig({ agent, host, internet, door, before, settings: path });
    await rig.startAgent();
    const identityDirectory = join(agent.state, "ana");
    await agent.pki.issue({ kind: "user", id: "ana", role: Role.ROLE_OPERATOR }, { directory: identityDirectory });
    const serverName = hostServerName(agent.host);
    await saveContext(rig.config, { name: "zt", addresses: [door.address], serverName, identityDirectory }, true);
    await rig.answers();
    return rig;
  }

  get config(): string {
    return join(this.agent.state, "config");
  }

  async startAgent(): Promise<void> {
    await this.agent.start(["--config", this.#settings]);
    this.#door.port = Number((await this.agent.address()).split(":").at(-1));
  }

  /** Waits until the agent answers: on a busy machine the first connection may take longer than a command waits. */
  async answers(): Promise<void> {
    await eventually(() => this.ok("get", "lans"));
  }

  begin(...argv: readonly string[]): CliRun {
    return new CliRun(argv, { env: { ZOR_CONFIG: this.config } });
  }

  zor(...argv: readonly string[]): Promise<CliResult> {
    return this.begin(...argv).result;
  }

  /** Runs a command that must succeed; resolves to what it prints. */
  async ok(...argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.zor(...argv);
    if (code !== 0) throw new Error(`zor ${argv.join(" ")} ended with ${code}: ${stderr}`);
    return stdout;
  }

  /** A container in lan1 that has no address yet. */
  async container(id: string, ...more: readonly string[]): Promise<void> {
    await this.ok("create", "instance", `zt/${id}`, "--rootfs", "micro", "--persistent", "--nic", "lan=lan1", ...more);
    await this.shell(id, `printf '%s' '${dhcpScript}' >/dhcp.sh; chmod +x /dhcp.sh`);
  }

  /** Runs a line in a container; resolves to what it prints. The line may fail. */
  async shell(id: string, line: string): Promise<string> {
    const mark = "the line ended";
    const { stdout, stderr } = await this.zor("exec", `zt/${id}`, "--", "sh", "-c", `${line}; echo; echo ${mark}`);
    if (!stdout.includes(mark)) throw new Error(`zor exec zt/${id} did not run: ${stderr}`);
    return stdout.replace(mark, "").trimEnd() + stderr;
  }

  /** Asks for an address by DHCP; resolves to it. */
  async dhcp(id: string): Promise<string> {
    return eventually(async () => {
      const text = await this.shell(id, "udhcpc -i eth0 -n -q -f -t 10 -T 1 -s /dhcp.sh 2>&1");
      const address = /^got (\S+)/m.exec(text)?.[1];
      if (address === undefined) throw new Error(text);
      return address;
    });
  }

  /** What a web server answers to a container. */
  async fetch(id: string, address: string): Promise<string> {
    const ask = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 10 ${address} ${webPort} 2>&1`;
    return (await this.shell(id, ask)).trim().split("\n").at(-1) ?? "";
  }

  /** Waits until an event has been told since the agent began, "nat.healed dnsmasq ended…". */
  async told(pattern: RegExp): Promise<void> {
    const connection = await this.agent.connect(Role.ROLE_VIEWER, this.#door.address);
    const told: string[] = [];
    try {
      const request = WatchRequest.fromPartial({ kinds: ["event"] });
      const signal = AbortSignal.timeout(45_000);
      for await (const { step } of connection.stream(WatchServiceService.watch, request, { signal })) {
        const event = watched(step, "event");
        if (event !== undefined) told.push(`${event.type} ${event.message}`);
        if (told.some((text) => pattern.test(text))) return;
      }
    } catch (error) {
      throw new Error(`no event ${String(pattern)} among: ${told.join("; ")}`, { cause: error });
    } finally {
      connection.close();
    }
  }

  /** Whether every container still gets to a web server, seen from its net namespace: no agent is needed. */
  async reachesWithoutAgent(address: string): Promise<boolean> {
    const names = (await readdir("/run/netns")).filter((name) => name.startsWith(`${this.agent.netns}.`));
    const curl = ["--silent", "--max-time", "10", `http://${address}:${webPort}/`];
    const answers = await Promise.all(
      names.map((netns) => run("curl", curl, { netns, acceptedExitCodes: [0, 7, 28, 52, 56] })),
    );
    return names.length > 0 && answers.every(({ stdout }) => stdout.includes("sees"));
  }

  /** Has a container answer everybody who asks its web server, one after the other. */
  async serve(id: string, text: string): Promise<void> {
    const answer = `printf 'HTTP/1.0 200 OK\\r\\n\\r\\n%s' '${text}' >/answer`;
    await this.shell(id, `${answer}; (while :; do nc -l -p ${webPort} </answer; done >/dev/null 2>&1 &)`);
  }

  async nat(id: string): Promise<Nat> {
    const { nats } = ListNatsResponse.fromJSON(JSON.parse(await this.ok("get", "nat", `zt/${id}`, "-o", "json")));
    const [nat] = nats;
    if (nat === undefined) throw new Error(`there is no nat ${id}`);
    return nat;
  }

  /** The programs of nats. */
  async programs(): Promise<Readonly<Record<"slirp4netns" | "dnsmasq", ProcessIdentity | undefined>>> {
    const spaces = `/run/netns/${this.agent.netns}-n`;
    const [slirp] = await findProcesses(
      (argv) => argv[0] === "slirp4netns" && argv.some((each) => each.startsWith(spaces)),
    );
    const leases = `--dhcp-leasefile=${this.agent.state}/`;
    const [dnsmasq] = await findProcesses(
      (argv) => argv[0] === "dnsmasq" && argv.some((each) => each.startsWith(leases)),
    );
    return { slirp4netns: slirp, dnsmasq };
  }

  /** Name of the only nat's net namespace. */
  async natNetns(): Promise<string> {
    const names = await readdir("/run/netns");
    const [name] = names.filter((each) => each.startsWith(`${this.agent.netns}-n`));
    if (name === undefined) throw new Error(`no namespace of a nat among ${names.join(" ")}`);
    return name;
  }

  /** Removes all of it. Resolves to what is left on the machine. */
  async close(): Promise<readonly string[]> {
    for (const kind of ["nat", "tap", "phy", "bridge", "vtep"]) {
      const names = (await this.zor("get", kind, "-o", "name")).stdout.trim();
      for (const name of names === "" ? [] : names.split("\n")) await this.zor("delete", kind, name, "--yes");
    }
    await this.agent.deleteInstances(this.#door.address).catch((error: unknown) => console.error(error));
    const left = Object.entries(await this.programs()).flatMap(([program, identity]) =>
      identity === undefined ? [] : [{ program, identity }],
    );
    for (const { identity } of left) await endProcess(identity, 2000);
    await this.agent.destroy({ instances: false });
    await this.#door[Symbol.asyncDispose]();
    for (const program of servers.splice(0)) program.kill("SIGKILL");
    await this.internet[Symbol.asyncDispose]();
    await this.host[Symbol.asyncDispose]();
    const ours = new RegExp(`${this.agent.state}|${this.agent.netns}|${this.host.name}|${this.internet.name}`);
    const behind = () => leftBehind(this.#before, captureMachine(), ours);
    // What was killed goes a moment later.
    await eventually(() => {
      if (behind().length > 0) throw new Error("there still is something");
    }).catch(() => undefined);
    return [...left.map(({ program }) => `program ${program}`), ...behind()];
  }
}

const servers: { kill(signal: NodeJS.Signals): unknown }[] = [];

/** Joins the host and the internet, to which all of the host's other traffic goes too. */
async function connect(host: TestNetns, internet: TestNetns): Promise<void> {
  await host.ip("link", "add", "up0", "type", "veth", "peer", "name", "down0", "netns", internet.name);
  for (const [netns, device, ...addresses] of [
    [host, "up0", `${hostAddress}/24`, "2001:db8::1/64"],
    [internet, "down0", `${internetAddress}/24`, `${internetAddress6}/64`, `${metadataAddress}/32`],
  ] as const) {
    await netns.ip("link", "set", device, "up");
    for (const address of addresses) {
      await netns.ip("address", "add", address, "dev", device, ...(address.includes(":") ? ["nodad"] : []));
    }
  }
  await host.ip("route", "add", "default", "via", internetAddress);
  await host.ip("-6", "route", "add", "default", "via", internetAddress6);
}

/** Starts a web server in a namespace, and waits until it listens. */
async function serve({ name }: TestNetns): Promise<void> {
  const child = spawnOwned("ip", ["netns", "exec", name, "python3", "-c", server], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  servers.push(child);
  let said = "";
  child.stdout.on("data", (data: Buffer) => {
    said += data.toString();
  });
  child.stderr.on("data", (data: Buffer) => {
    said += data.toString();
  });
  await eventually(() => {
    if (!said.includes("ready")) throw new Error(`the web server does not listen: ${said}`);
  });
}

/** What runs on the host gets of one of its own ports. */
export async function fetchOnHost(host: TestNetns, address: string, port: number): Promise<string> {
  const { stdout } = await run("curl", ["--silent", "--max-time", "10", `http://${address}:${port}/`], {
    netns: host.name,
    acceptedExitCodes: [0, 7, 28, 52, 56],
  });
  return stdout.trim();
}
