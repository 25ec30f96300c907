import { readFileSync } from "node:fs";
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { createInterface } from "node:readline";
import { createSecureContext, type SecureContext, type TLSSocket } from "node:tls";
import { framed } from "../../../lib/grpc/message-splitter.js";
import { apiLevel, version } from "../../../lib/program.js";
import { hostServerName } from "../../../lib/tls/join.js";
import { HelloResponse } from "../../../proto/gen/zor/agent/v1/agent_service.js";
import { WatchEndsResponse } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { GetInstanceRequest, GetInstanceResponse } from "../../../proto/gen/zor/v1/instance_service.js";
import { WatchRequest, WatchResponse } from "../../../proto/gen/zor/v1/watch_service.js";
import { encodeUpsert, lanCount, makeHost, makeInstance, makeLan } from "./resources.js";

/** Identities of all agents: they share a key. */
export interface AgentIdentities {
  readonly keyPem: string;
  readonly caPem: string;
  /** By index of the host. */
  readonly certificates: readonly string[];
}

/** What the process with the agents is told, as a line of JSON on its standard input. */
export interface AgentsOrder {
  /** Changes of instances all over the fleet from now on; each tells when it was made. */
  readonly changesPerSecond: number;
}

/** Verb with which this process is started: IDENTITIES INSTANCES COUNTERS_SECONDS. */
export const agentsVerb = "agents";

/** Before the time at which a change was made, in nanoseconds of the machine's clock that only goes forward. */
export const madeMark = "made-at-";

const ports = 8;
const pingMs = 10_000;
const tickMs = 5;

/** Id of a host by its index. */
export function hostId(index: number): string {
  return `h${String(index).padStart(5, "0")}`;
}

/**
 * All agents of a fleet in this process, over mutual TLS 1.3 as the real ones: they say hello, answer pings and gets, and tell of their
 * resources. They are served without a gRPC library, so that they cost little beside the hub. Writes the ports as JSON when they serve.
 */
export async function serveAgents([file = "", instances = "0", counters = "0"]: readonly string[]): Promise<never> {
  const identities = JSON.parse(readFileSync(file, "utf8")) as AgentIdentities;
  const fleet = new Agents(identities, Number(instances));
  const bound: number[] = [];
  for (let index = 0; index < ports; index += 1) bound.push(await fleet.listen());
  process.stdout.write(`${JSON.stringify(bound)}\n`);
  if (Number(counters) > 0) fleet.count(Number(counters) * 1000);
  for await (const line of createInterface({ input: process.stdin })) fleet.obey(JSON.parse(line) as AgentsOrder);
  process.exit(0);
}

/** One agent: what it has told its watcher. */
interface Agent {
  readonly id: string;
  readonly index: number;
  readonly epoch: string;
  readonly context: SecureContext;
  /** Frames of all but the end. */
  readonly snapshot: Buffer;
  revision: bigint;
  watch: ServerHttp2Stream | undefined;
}

class Agents {
  readonly #identities: AgentIdentities;
  readonly #instances: number;
  readonly #byName = new Map<string, Agent>();
  readonly #all: readonly Agent[];
  #changes: NodeJS.Timeout | undefined;
  #turn = 0;

  constructor(identities: AgentIdentities, instances: number) {
    this.#identities = identities;
    this.#instances = instances;
    const { keyPem, caPem } = identities;
    this.#all = identities.certificates.map((cert, index) => ({
      id: hostId(index),
      index,
      epoch: `epoch-${index}`,
      context: createSecureContext({ key: keyPem, cert, ca: caPem, minVersion: "TLSv1.3" }),
      snapshot: snapshotOf(hostId(index), index, instances),
      revision: 1000n,
      watch: undefined,
    }));
    for (const agent of this.#all) this.#byName.set(hostServerName(agent.id), agent);
  }

  async listen(): Promise<number> {
    const { keyPem, caPem, certificates } = this.#identities;
    const server = createSecureServer({
      key: keyPem,
      cert: certificates[0],
      ca: caPem,
      minVersion: "TLSv1.3",
      requestCert: true,
      rejectUnauthorized: true,
      SNICallback: (name, done) => done(null, this.#byName.get(name)?.context),
      settings: { maxConcurrentStreams: 1000, enablePush: false },
    });
    server.on("session", (session) => this.#begin(session));
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, resolve);
    await promise;
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  obey({ changesPerSecond }: AgentsOrder): void {
    clearInterval(this.#changes);
    if (changesPerSecond === 0) return;
    const began = performance.now();
    let made = 0;
    this.#changes = setInterval(() => {
      const due = Math.floor(((performance.now() - began) / 1000) * changesPerSecond);
      for (; made < due; made += 1) this.#change();
    }, tickMs);
  }

  /** Lets the counters of all lans change, each once in this time. */
  count(everyMs: number): void {
    const lans = this.#all.flatMap((agent) =>
      Array.from({ length: lanCount(this.#instances) }, (_, number) => ({ agent, number })),
    );
    const began = performance.now();
    let made = 0;
    setInterval(() => {
      const due = Math.floor(((performance.now() - began) / everyMs) * lans.length);
      for (; made < due; made += 1) {
        const lan = lans[made % lans.length];
        if (lan === undefined) return;
        const value = makeLan(lan.agent.id, lan.number, this.#instances, BigInt(made));
        this.#tell(lan.agent, (position) => encodeUpsert({ kind: "lan", value }, position));
      }
    }, tickMs);
  }

  #change(): void {
    this.#turn += 1;
    // Primes, so that all instances of all hosts have their turn.
    const agent = this.#all[(this.#turn * 7919) % this.#all.length];
    if (agent === undefined) return;
    const reason = `${madeMark}${process.hrtime.bigint()}.`;
    const value = makeInstance(agent, this.#turn % this.#instances, reason);
    this.#tell(agent, (position) => encodeUpsert({ kind: "instance", value }, position));
  }

  #tell(agent: Agent, encode: (position: { epoch: string; revision: bigint }) => Uint8Array): void {
    if (agent.watch === undefined) return;
    agent.revision += 1n;
    send(agent.watch, encode({ epoch: agent.epoch, revision: agent.revision }));
  }

  #begin(session: ServerHttp2Session): void {
    const { servername } = session.socket as TLSSocket;
    const agent = this.#byName.get(typeof servername === "string" ? servername : "");
    if (agent === undefined) {
      session.destroy();
      return;
    }
    const pings = setInterval(() => session.ping(() => undefined), pingMs);
    session.on("close", () => clearInterval(pings));
    session.on("error", () => undefined);
    session.on("stream", (stream, headers) => {
      stream.on("error", () => undefined);
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => this.#answer(agent, stream, headers[":path"] ?? "", Buffer.concat(chunks).subarray(5)));
    });
  }

  #answer(agent: Agent, stream: ServerHttp2Stream, path: string, request: Buffer): void {
    switch (path) {
      case "/zor.agent.v1.AgentService/Hello":
        unary(stream, HelloResponse.encode(hello(agent)).finish());
        break;
      case "/zor.agent.v1.AgentService/Ping":
      case "/zor.agent.v1.AgentService/SetRevocations":
        unary(stream, new Uint8Array());
        break;
      case "/zor.agent.v1.CableService/WatchEnds":
        respond(stream, false);
        send(stream, WatchEndsResponse.encode({ snapshot: true, ends: [], removed: [] }).finish());
        break;
      case "/zor.v1.WatchService/Watch":
        this.#watch(agent, stream, WatchRequest.decode(request));
        break;
      case "/zor.v1.InstanceService/GetInstance": {
        const { name } = GetInstanceRequest.decode(request);
        const instance = makeInstance(agent, Number(/vm(\d+)$/.exec(name)?.[1] ?? "0"));
        unary(stream, GetInstanceResponse.encode({ instance }).finish());
        break;
      }
      default:
        stream.respond(
          { ":status": 200, "content-type": "application/grpc", "grpc-status": "12" },
          { endStream: true },
        );
    }
  }

  #watch(agent: Agent, stream: ServerHttp2Stream, request: WatchRequest): void {
    respond(stream, false);
    agent.watch = stream;
    const position = () => ({ epoch: agent.epoch, revision: agent.revision });
    const bookmarks = setInterval(
      () => {
        const step = { $case: "bookmark", value: { time: new Date() } } as const;
        send(stream, WatchResponse.encode({ position: position(), step }).finish());
      },
      (request.bookmarkSeconds || 5) * 1000,
    );
    stream.on("close", () => {
      clearInterval(bookmarks);
      if (agent.watch === stream) agent.watch = undefined;
    });
    if (request.position?.epoch === agent.epoch && request.position.revision === agent.revision) return;
    // An agent tells many steps at once.
    if (!stream.destroyed) stream.write(agent.snapshot);
    const end = { $case: "snapshotEnd", value: {} } as const;
    send(stream, WatchResponse.encode({ position: position(), step: end }).finish());
  }
}

/** All that an agent tells of at first. It is made before anything is measured. */
function snapshotOf(id: string, index: number, instances: number): Buffer {
  const unfinished = { epoch: "", revision: 0n };
  const reset = { $case: "reset", value: { reason: "first snapshot" } } as const;
  const frames = [
    WatchResponse.encode({ position: unfinished, step: reset }).finish(),
    encodeUpsert({ kind: "host", value: makeHost(id, instances) }, unfinished),
  ];
  for (let number = 0; number < lanCount(instances); number += 1) {
    frames.push(encodeUpsert({ kind: "lan", value: makeLan(id, number, instances) }, unfinished));
  }
  for (let number = 0; number < instances; number += 1) {
    frames.push(encodeUpsert({ kind: "instance", value: makeInstance({ id, index }, number) }, unfinished));
  }
  return Buffer.concat(frames.map(framed));
}

function hello(agent: Agent): HelloResponse {
  return HelloResponse.fromPartial({
    hostId: agent.id,
    hostUid: `uid-${agent.id}`,
    agentVersion: version,
    apiLevel,
    epoch: agent.epoch,
    pid: 4711n,
    startTime: new Date(),
    underlayAddresses: [`10.${agent.index >> 16}.${(agent.index >> 8) & 255}.${agent.index & 255}`],
  });
}

function respond(stream: ServerHttp2Stream, waitForTrailers: boolean): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers });
}

function unary(stream: ServerHttp2Stream, message: Uint8Array): void {
  respond(stream, true);
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(framed(message));
}

function send(stream: ServerHttp2Stream, message: Uint8Array): void {
  if (!stream.destroyed && stream.writable) stream.write(framed(message));
}
