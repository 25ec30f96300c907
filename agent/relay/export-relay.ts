import { createSocket, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { messageOf } from "../../lib/errors.js";
import { openLoopbackSocket } from "../../lib/net/socket-calls.js";
import { visitNetns } from "../../lib/net/visit-netns.js";
import { parseHostPort } from "../../lib/socket-address.js";
import { FlowExportFormat } from "../../proto/gen/zor/v1/lan_outlet.js";
import type { CollectorState, ExportState, WantedExport } from "./protocol/relay-protocol.js";
import { withSource } from "./sflow.js";

/** So many datagrams in a row that went well make up for one that did not: that nobody listens is told by the next that is sent. */
const recovered = 3;
/** A collector to which there was no way is tried again so often, ms. */
const retryMs = 5_000;
/** Room for what comes at once, bytes. */
const receiveBytes = 1024 * 1024;

/** One collector: a socket of the host's network that is connected to it. */
class Collector {
  readonly #address: string;
  #socket: Socket | undefined;
  #isConnected = false;
  #datagrams = 0;
  #bytes = 0;
  #failed = 0;
  #well = 0;
  #lastError = "";
  #retry: NodeJS.Timeout | undefined;

  constructor(address: string) {
    this.#address = address;
    this.#connect();
  }

  /** Address of the host that it is reached from; "": there is no way there. */
  get localAddress(): string {
    return this.#isConnected ? (this.#socket?.address().address ?? "") : "";
  }

  get state(): CollectorState {
    return {
      collector: this.#address,
      datagrams: this.#datagrams,
      bytes: this.#bytes,
      failed: this.#failed,
      lastError: this.#lastError,
    };
  }

  send(datagram: Buffer): void {
    if (!this.#isConnected) {
      this.#failed += 1;
      return;
    }
    this.#socket?.send(datagram, (error) => {
      if (error !== null) {
        this.#fail(error);
        return;
      }
      this.#datagrams += 1;
      this.#bytes += datagram.length;
      this.#well += 1;
      if (this.#well >= recovered) this.#lastError = "";
    });
  }

  close(): void {
    clearTimeout(this.#retry);
    this.#socket?.close();
    this.#socket = undefined;
    this.#isConnected = false;
  }

  #connect(): void {
    const { host, port } = parseHostPort(this.#address) ?? { host: "", port: 0 };
    const socket = createSocket(isIP(host) === 6 ? "udp6" : "udp4");
    this.#socket = socket;
    // What was refused is told by the kernel before the next is sent.
    socket.on("error", (error) => this.#fail(error));
    try {
      socket.connect(port, host, (error?: Error) => {
        if (socket !== this.#socket) return;
        if (error === undefined) this.#isConnected = true;
        else this.#giveUp(error);
      });
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #giveUp(error: unknown): void {
    this.close();
    this.#lastError = messageOf(error);
    this.#retry = setTimeout(() => this.#connect(), retryMs).unref();
  }

  #fail(error: unknown): void {
    this.#failed += 1;
    this.#well = 0;
    this.#lastError = messageOf(error);
  }
}

/** What the switch tells of one lan in one format: received at the loopback of the lans' namespace, sent on to the collectors. */
export class ExportRelay {
  readonly #netns: string;
  #wanted: WantedExport;
  #collectors: ReadonlyMap<string, Collector> = new Map();
  #socket: Socket | undefined;
  #port = 0;
  #fault = "";

  constructor(netns: string, wanted: WantedExport) {
    this.#netns = netns;
    this.#wanted = wanted;
  }

  get state(): ExportState {
    const collectors = [...this.#collectors.values()].map(({ state }) => state);
    return { id: this.#wanted.id, port: this.#port, fault: this.#fault, collectors };
  }

  /** Does from now on as it is told. Collectors that stay keep their counts. */
  async set(wanted: WantedExport): Promise<void> {
    this.#wanted = wanted;
    const before = this.#collectors;
    this.#collectors = new Map(wanted.collectors.map((each) => [each, before.get(each) ?? new Collector(each)]));
    for (const [address, collector] of before) if (!this.#collectors.has(address)) collector.close();
    if (this.#socket === undefined) await this.#listen(wanted.port);
  }

  close(): void {
    this.#socket?.close();
    this.#socket = undefined;
    for (const collector of this.#collectors.values()) collector.close();
  }

  async #listen(port: number): Promise<void> {
    try {
      // The one before may be another's by now.
      const fd = this.#open(port) ?? this.#open(0);
      if (fd === undefined) throw new Error("the namespace of the lans cannot be entered");
      const socket = createSocket({ type: "udp4", recvBufferSize: receiveBytes });
      this.#socket = socket;
      socket.on("message", (datagram) => this.#relay(datagram));
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      socket.on("error", reject);
      socket.bind({ fd }, resolve);
      await promise;
      this.#port = socket.address().port;
      this.#fault = "";
    } catch (error) {
      this.#fault = messageOf(error);
    }
  }

  #open(port: number): number | undefined {
    try {
      return visitNetns(this.#netns, () => openLoopbackSocket(port));
    } catch (error) {
      if (port === 0) throw error;
      return undefined;
    }
  }

  #relay(datagram: Buffer): void {
    const { format, agentAddress, domain: subAgent } = this.#wanted;
    for (const collector of this.#collectors.values()) {
      const address = agentAddress === "" ? collector.localAddress : agentAddress;
      const isSflow = format === FlowExportFormat.FLOW_EXPORT_FORMAT_SFLOW;
      collector.send(isSflow ? withSource(datagram, { address, subAgent }) : datagram);
    }
  }
}
