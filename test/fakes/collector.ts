import { fileURLToPath } from "node:url";
import {
  loadPackageDefinition,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

/** A span as a collector got it; ids in hexadecimal. */
export interface CollectedSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  /** "": it is the first of its trace. */
  readonly parentId: string;
  readonly tookNanos: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly error: string | undefined;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly value: string; readonly [member: string]: unknown };
}
interface Request {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Record<string, never>[] }[];
  }[];
}

/** A collector of traces on loopback, which keeps what it gets. */
export class FakeCollector implements AsyncDisposable {
  readonly spans: CollectedSpan[] = [];
  readonly metadata: Readonly<Record<string, unknown>>[] = [];
  /** How many spans it says it has not taken, of each call. */
  rejected = 0;
  readonly #server = new Server();
  #port = 0;

  static async start(): Promise<FakeCollector> {
    const made = new FakeCollector();
    const path = fileURLToPath(new URL("otlp.proto", import.meta.url));
    // Another codec than the exporter's, which reads a description of its own.
    const loaded = loadPackageDefinition(loadSync(path, { oneofs: true, longs: String, defaults: true }));
    // proto-loader's tree has no types.
    const tree = loaded as unknown as Record<
      string,
      Record<string, Record<string, Record<string, Record<string, never>>>>
    >;
    const { service } = tree["opentelemetry"]?.["proto"]?.["collector"]?.["trace"]?.["v1"]?.["TraceService"] ?? {
      service: undefined,
    };
    if (service === undefined) throw new Error("there is no such service");
    made.#server.addService(service, {
      export: (call: ServerUnaryCall<Request, object>, callback: sendUnaryData<object>) => {
        made.metadata.push(call.metadata.getMap());
        made.#take(call.request);
        callback(null, made.rejected === 0 ? {} : { partialSuccess: { rejectedSpans: made.rejected } });
      },
    });
    made.#port = await new Promise((resolve, reject) => {
      made.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  #take({ resourceSpans }: Request): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const { "service.name": service = "" } = attributesOf(resource.attributes);
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        // Of the form of otlp.proto, as proto-loader gives it.
        const {
          name,
          kind,
          status,
          attributes,
          startTimeUnixNano: begin,
          endTimeUnixNano: end,
        } = span as never as {
          name: string;
          kind: number;
          status: { code: number; message: string } | null;
          attributes: readonly Attribute[];
          startTimeUnixNano: string;
          endTimeUnixNano: string;
        };
        const hex = (field: string): string => Buffer.from(span[field] ?? []).toString("hex");
        this.spans.push({
          ...{ service: String(service), name, kind, tookNanos: BigInt(end) - BigInt(begin) },
          ...{ traceId: hex("traceId"), spanId: hex("spanId"), parentId: hex("parentSpanId") },
          attributes: attributesOf(attributes),
          error: status?.code === 2 ? status.message : undefined,
        });
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }
}

function attributesOf(attributes: readonly Attribute[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value[value.value]]));
}
