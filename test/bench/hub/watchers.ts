import { type ClientHttp2Session, connect } from "node:http2";
import type { Identity } from "../../../lib/tls/identity.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { encodeWatchInstances } from "./resources.js";
import { framed } from "../../../lib/grpc/message-splitter.js";
import { madeMark } from "./agents.js";

/**
 * Clients that watch the instances, each over a connection of its own. They read the frames themselves, so that it is the hub that is
 * measured and not what decodes for ten readers in one process.
 */
export class Watchers {
  /** Times from a change at its agent to each watcher, in ms. */
  readonly latenciesMs: number[] = [];
  readonly #sessions: ClientHttp2Session[] = [];
  #counting = false;

  /** Begins to watch. @returns when all have read what is there: after so many messages each. */
  static async start(options: {
    readonly address: string;
    readonly identity: Identity;
    readonly count: number;
    readonly snapshot: number;
  }): Promise<Watchers> {
    const watchers = new Watchers();
    const { address, identity, count, snapshot } = options;
    await Promise.all(Array.from({ length: count }, () => watchers.#open(address, identity, snapshot)));
    return watchers;
  }

  /** From now on changes count. */
  count(): void {
    this.#counting = true;
  }

  close(): void {
    for (const session of this.#sessions) session.destroy();
  }

  #open(address: string, { keyPem, certificatePem, caPem }: Identity, snapshot: number): Promise<void> {
    const session = connect(`https://${address}`, {
      ...{ key: keyPem, cert: certificatePem, ca: caPem, servername: hubServerName, minVersion: "TLSv1.3" },
      settings: { initialWindowSize: 8 * 1024 * 1024, enablePush: false },
    });
    this.#sessions.push(session);
    session.on("connect", () => session.setLocalWindowSize(64 * 1024 * 1024));
    const stream = session.request({
      ":method": "POST",
      ":path": "/zor.v1.WatchService/Watch",
      "content-type": "application/grpc+proto",
      te: "trailers",
    });
    stream.end(framed(encodeWatchInstances()));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    session.on("error", reject);
    stream.on("error", reject);
    stream.on("end", () => reject(new Error("a watch has ended")));
    let messages = 0;
    readMessages(stream, (message) => {
      messages += 1;
      if (messages === snapshot) resolve();
      if (this.#counting) this.#take(message);
    });
    return promise;
  }

  #take(message: Buffer): void {
    const at = message.indexOf(madeMark, 0, "latin1");
    if (at === -1) return;
    const from = at + madeMark.length;
    const made = BigInt(message.toString("latin1", from, message.indexOf(".", from)));
    this.latenciesMs.push(Number(process.hrtime.bigint() - made) / 1e6);
  }
}

function readMessages(stream: NodeJS.ReadableStream, take: (message: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    while (rest.length - at >= 5) {
      const end = at + 5 + rest.readUInt32BE(at + 1);
      if (end > rest.length) break;
      take(rest.subarray(at + 5, end));
      at = end;
    }
    rest = rest.subarray(at);
  });
}
