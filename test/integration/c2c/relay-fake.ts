import { once } from "node:events";
import { openSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { enterNetNamespace } from "../../../lib/net/socket-calls.js";
import {
  decodeRelayPreamble,
  makeRelayGreeting,
  type ReceivedPreamble,
  RelayStatus,
  type RelayStatusCode,
  relayPreambleBytes,
} from "../../../lib/relay-preamble.js";
import type { RelayRole } from "../../../lib/relay-role.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import type { TestHost } from "./two-hosts.js";

const port = 7442;
const tickets: Readonly<Record<RelayRole, string>> = { listener: "0a".repeat(32), dialer: "0b".repeat(32) };

/** A relay in a namespace of its own that both hosts reach, without any path between them. It joins whoever comes, and can refuse. */
export class RelayFake implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Map<string, Socket>();
  /** What it answers instead of joining anybody. */
  refusal: RelayStatusCode | undefined;
  /** Pairs joined so far. */
  joined = 0;

  private constructor(
    readonly netns: TestNetns,
    readonly server: Server,
  ) {
    server.on("connection", (socket) => this.#onConnection(socket));
  }

  static async make(hosts: readonly TestHost[]): Promise<RelayFake> {
    const netns = await makeNetns("cr");
    for (const { number, underlay } of hosts) {
      const device = `ztr${number}`;
      await netns.ip("link", "add", device, "type", "veth", "peer", "name", "ztr0", "netns", underlay.name);
      await netns.ip("addr", "add", `10.203.${number}.1/24`, "dev", device);
      await netns.ip("link", "set", device, "up");
      await underlay.ip("addr", "add", `10.203.${number}.2/24`, "dev", "ztr0");
      await underlay.ip("link", "set", "ztr0", "up");
    }
    const server = createServer({ noDelay: true });
    const home = openSync("/proc/thread-self/ns/net", "r");
    // Without a host name Node binds before it returns, in the namespace the thread is in.
    enterNetNamespace(openSync(`/run/netns/${netns.name}`, "r"));
    server.listen(port);
    enterNetNamespace(home);
    await once(server, "listening");
    return new RelayFake(netns, server);
  }

  /** What the hub tells an end. */
  specFor(host: TestHost, role: RelayRole): { relayAddresses: string[]; relayTicket: string } {
    return { relayAddresses: [`10.203.${host.number}.1:${port}`], relayTicket: tickets[role] };
  }

  /** Connections that wait or carry frames. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Breaks all connections. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.netns[Symbol.asyncDispose]();
  }

  #onConnection(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      for (const [key, waiting] of this.#waiting) if (waiting === socket) this.#waiting.delete(key);
    });
    const greeting = makeRelayGreeting();
    socket.write(greeting.bytes);
    socket.on("readable", () => {
      // A net.Socket without encoding reads Buffers.
      const bytes = socket.read(relayPreambleBytes) as Buffer | null;
      if (bytes === null) return;
      socket.removeAllListeners("readable");
      this.#onPreamble(socket, bytes, greeting.challenge);
    });
  }

  #onPreamble(socket: Socket, bytes: Buffer, challenge: Buffer): void {
    const preamble = decodeRelayPreamble(bytes);
    const refusal = this.refusal ?? refusalOf(preamble, challenge);
    if (preamble === undefined || refusal !== undefined) {
      socket.end(Buffer.from([refusal ?? RelayStatus.BadPreamble]));
      return;
    }
    const { linkUid, role } = preamble;
    const other = this.#waiting.get(`${linkUid} ${role === "dialer" ? "listener" : "dialer"}`);
    if (other === undefined) this.#waiting.set(`${linkUid} ${role}`, socket);
    else this.#join(other, socket);
  }

  #join(first: Socket, second: Socket): void {
    this.joined += 1;
    for (const [key, waiting] of this.#waiting) if (waiting === first) this.#waiting.delete(key);
    for (const socket of [first, second]) socket.write(Buffer.from([RelayStatus.Paired]));
    first.pipe(second);
    second.pipe(first);
    first.once("close", () => second.destroy());
    second.once("close", () => first.destroy());
  }
}

function refusalOf(preamble: ReceivedPreamble | undefined, challenge: Buffer): RelayStatusCode | undefined {
  if (preamble === undefined) return RelayStatus.BadPreamble;
  const good = preamble.verify(Buffer.from(tickets[preamble.role], "hex"), challenge);
  return good ? undefined : RelayStatus.NotAuthorised;
}
