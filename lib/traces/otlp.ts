import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Span } from "./span.js";
import { type AttributeValue, spanKinds } from "./trace-context.js";

/** Who has made spans. */
export interface TraceResource {
  readonly serviceName: string;
  readonly version: string;
  /** Tells two programs of one name apart. */
  readonly instance: string;
}

/** The method of a collector that takes spans (opentelemetry.proto.collector.trace.v1). */
export const exportPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/** OTLP's number for a span that failed. */
const statusError = 2;

/** An ExportTraceServiceRequest with these spans. The numbers of fields are those of OTLP 1. */
export function encodeExport(resource: TraceResource, spans: readonly Span[]): Buffer {
  const attributes = {
    "service.name": resource.serviceName,
    "service.version": resource.version,
    "service.instance.id": resource.instance,
    "telemetry.sdk.language": "nodejs",
  };
  const writer = new BinaryWriter();
  writer.tag(1, 2).fork();
  writer.tag(1, 2).fork();
  writeAttributes(writer, 1, attributes);
  writer.join();
  writer.tag(2, 2).fork();
  writer.tag(1, 2).fork().tag(1, 2).string("zorhub").tag(2, 2).string(resource.version).join();
  for (const span of spans) writeSpan(writer, span);
  writer.join();
  writer.join();
  return Buffer.from(writer.finish());
}

/** How many spans a collector did not take, of its answer (partial_success.rejected_spans). @throws {Error} when it is none. */
export function decodeRejected(answer: Buffer): number {
  const reader = new BinaryReader(answer);
  let rejected = 0;
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1 && type === 2) {
      const end = reader.uint32() + reader.pos;
      while (reader.pos < end) {
        const [inner, innerType] = reader.tag();
        if (inner === 1 && innerType === 0) rejected = Number(reader.int64());
        else reader.skip(innerType);
      }
    } else reader.skip(type);
  }
  return rejected;
}

function writeSpan(writer: BinaryWriter, span: Span): void {
  const { own, parentId, name, kind, startMs, endMs, error } = span;
  writer.tag(2, 2).fork();
  writer.tag(1, 2).bytes(Buffer.from(own.traceId, "hex"));
  writer.tag(2, 2).bytes(Buffer.from(own.spanId, "hex"));
  if (parentId !== undefined) writer.tag(4, 2).bytes(Buffer.from(parentId, "hex"));
  writer.tag(5, 2).string(name);
  writer.tag(6, 0).int32(spanKinds[kind]);
  writer.tag(7, 1).fixed64(nanosOf(startMs));
  writer.tag(8, 1).fixed64(nanosOf(endMs));
  writeAttributes(writer, 9, span.attributes);
  if (error !== undefined) writer.tag(15, 2).fork().tag(2, 2).string(error).tag(3, 0).int32(statusError).join();
  writer.tag(16, 5).fixed32(1);
  writer.join();
}

function writeAttributes(
  writer: BinaryWriter,
  field: number,
  attributes: Readonly<Record<string, AttributeValue>>,
): void {
  for (const [key, value] of Object.entries(attributes)) {
    writer.tag(field, 2).fork().tag(1, 2).string(key).tag(2, 2).fork();
    if (typeof value === "string") writer.tag(1, 2).string(value);
    else if (typeof value === "boolean") writer.tag(2, 0).bool(value);
    else if (Number.isSafeInteger(value)) writer.tag(3, 0).int64(value);
    else writer.tag(4, 1).double(value);
    writer.join().join();
  }
}

function nanosOf(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n;
}
