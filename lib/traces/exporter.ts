import { readFileSync } from "node:fs";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { messageOf } from "../errors.js";
import { decodeRejected, encodeExport, exportPath, type TraceResource } from "./otlp.js";
import type { Span, SpanSink } from "./span.js";

/** Where spans go, and as whose. */
export interface ExporterOptions {
  readonly resource: TraceResource;
  readonly endpoint: TraceEndpoint;
  /** Told when spans cannot be delivered, once until they can again, and then of that. */
  readonly onNews?: (message: string) => void;
}

/** A collector. */
export interface TraceEndpoint {
  /** "host:port". */
  readonly address: string;
  /** TLS; else it is spoken to in the clear. */
  readonly isSecure: boolean;
  /** Authorities of its certificate, instead of those of the system. */
  readonly caFile: string | undefined;
  /** Metadata of each call, such as a key. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The usual numbers of OpenTelemetry's batch processor (OTEL_BSP_*), but for how long a collector has. */
const [maxWaiting, maxBatch, everyMs, timeoutMs] = [2048, 512, 5000, 10_000];

/**
 * Sends spans to a collector, some at a time and never more than one call at once. What it cannot deliver waits within a bound, and is
 * dropped and counted beyond it: a collector that is away costs a program two thousand spans of memory and nothing else.
 */
export class SpanExporter implements SpanSink {
  readonly #options: ExporterOptions;
  readonly #waiting: Span[] = [];
  #client: Client | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #dropped = 0;
  #exported = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(options: ExporterOptions) {
    this.#options = options;
  }

  /** Spans that no collector will ever see. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Spans that a collector has taken. */
  get exported(): number {
    return this.#exported;
  }

  take(span: Span): void {
    if (this.#isClosed || this.#waiting.length >= maxWaiting) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length >= maxBatch && !this.#isFailing) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), everyMs).unref();
  }

  /** Sends what waits, for so long at most, and lets go of the collector. */
  async close(withinMs: number): Promise<void> {
    const over = new Promise<"over">((resolve) => setTimeout(resolve, withinMs, "over").unref());
    const sent = (async () => {
      await this.#sending;
      while (this.#waiting.length > 0) {
        const before = this.#waiting.length;
        this.#send();
        await this.#sending;
        // It is not taken now; nobody comes back to it.
        if (this.#waiting.length >= before) return;
      }
    })();
    await Promise.race([sent, over]);
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#dropped += this.#waiting.length;
    this.#waiting.length = 0;
    this.#client?.close();
  }

  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sending !== undefined || this.#isClosed || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, maxBatch);
    this.#sending = this.#deliver(batch)
      .then(
        (rejected) => this.#delivered(batch.length, rejected),
        (error: unknown) => this.#failed(batch, error),
      )
      .finally(() => {
        this.#sending = undefined;
        if (this.#waiting.length >= maxBatch && !this.#isFailing) this.#send();
        else if (this.#waiting.length > 0 && !this.#isClosed)
          this.#timer ??= setTimeout(() => this.#send(), everyMs).unref();
      });
  }

  #delivered(count: number, rejected: number): void {
    const kept = Math.max(0, Math.min(count, rejected));
    this.#exported += count - kept;
    this.#dropped += kept;
    if (this.#isFailing) this.#options.onNews?.(`traces go to ${this.#options.endpoint.address} again`);
    this.#isFailing = false;
  }

  #failed(batch: readonly Span[], error: unknown): void {
    // The newest are dropped: what waits longest tells how it began.
    const room = Math.max(0, maxWaiting - this.#waiting.length);
    this.#waiting.unshift(...batch.slice(0, room));
    this.#dropped += Math.max(0, batch.length - room);
    if (!this.#isFailing)
      this.#options.onNews?.(`traces cannot go to ${this.#options.endpoint.address}: ${messageOf(error)}`);
    this.#isFailing = true;
  }

  #deliver(batch: readonly Span[]): Promise<number> {
    return new Promise((resolve, reject) => {
      const { headers } = this.#options.endpoint;
      const metadata = new Metadata();
      for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
      this.#client ??= open(this.#options.endpoint);
      this.#client.makeUnaryRequest(
        exportPath,
        (spans: readonly Span[]) => encodeExport(this.#options.resource, spans),
        decodeRejected,
        batch,
        metadata,
        { deadline: Date.now() + timeoutMs },
        (error, rejected) => {
          if (error === null) resolve(rejected ?? 0);
          else reject(error);
        },
      );
    });
  }
}

function open({ address, isSecure, caFile }: TraceEndpoint): Client {
  const ca = caFile === undefined ? null : readFileSync(caFile);
  return new Client(address, isSecure ? credentials.createSsl(ca) : credentials.createInsecure(), {
    // A proxy of the environment is for others.
    "grpc.enable_http_proxy": 0,
    "grpc.max_reconnect_backoff_ms": 30_000,
  });
}
