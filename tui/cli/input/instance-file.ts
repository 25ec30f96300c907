import { readFile } from "node:fs/promises";
import { text as readStream } from "node:stream/consumers";
import type { JsonValue } from "@bufbuild/protobuf";
import { isScalar, LineCounter, parseDocument, visit } from "yaml";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceFlags } from "./instance-flags.js";

const largestFileBytes = 1024 * 1024;

/**
 * Reads an instance from YAML or JSON in the form of the API's proto3 JSON (what `zor get instances NAME -o yaml` shows,
 * with or without the outer "instances" or "instance"). "-" is standard input.
 * @throws {ZorError} INVALID_ARGUMENT as "file:line:column: what is wrong".
 */
export async function instanceFromFile(file: string, input: NodeJS.ReadableStream): Promise<Instance> {
  const place = file === "-" ? "standard input" : file;
  const source = await (file === "-" ? readStream(input) : readFile(file, "utf8")).catch((error: unknown) => {
    throw invalidArgument("--file", `cannot read ${place}: ${messageOf(error)}`);
  });
  if (source.length > largestFileBytes) throw invalidArgument("--file", `${place} is larger than 1 MiB`);
  return parseInstance(place, source);
}

/** {@link instanceFromFile} for text at hand. */
export function parseInstance(place: string, source: string): Instance {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${place}:${line}:${col}`;
  };
  const [broken] = document.errors;
  if (broken !== undefined) throw invalidArgument(at(broken.pos[0]), broken.message);
  const whole: unknown = document.toJS({ maxAliasCount: 100 });
  if (typeof whole !== "object" || whole === null || Array.isArray(whole)) {
    throw invalidArgument(at(0), "expected an instance: a mapping with labels and spec");
  }
  const instance = innermost(whole, (description) => invalidArgument(at(0), description));
  try {
    // What YAML gives is JSON but for dates, which the type check below refuses.
    return Instance.decode(jsonToBytes("zor.v1.Instance", instance as JsonValue));
  } catch (error) {
    const message = messageOf(error);
    throw invalidArgument(at(offsetOf(document, message)), message.replace(/^zor\.v1\.Instance: /, ""));
  }
}

/** The instance of a list's response that holds one, or of a response with just an instance, or the whole. */
function innermost(whole: object, fail: (description: string) => Error): unknown {
  if ("instances" in whole && Array.isArray(whole.instances)) {
    const [only] = whole.instances as unknown[];
    if (whole.instances.length === 1) return only;
    throw fail(
      `expected one instance, not a list of ${whole.instances.length}; get one with: zor get instances NAME -o yaml`,
    );
  }
  return "instance" in whole && Object.keys(whole).length === 1 ? whole.instance : whole;
}

/** Where the key that a type error names stands in the file; its beginning when it names none. */
function offsetOf(document: ReturnType<typeof parseDocument>, message: string): number {
  const match = /key "([^"]+)"|field [\w.]*\.(\w+)/.exec(message);
  const key = match?.[1] ?? match?.[2];
  if (key === undefined) return 0;
  const camel = key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  let offset = 0;
  visit(document, {
    Pair: (_, pair) => {
      if (!isScalar(pair.key) || (pair.key.value !== key && pair.key.value !== camel)) return undefined;
      offset = pair.key.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
}

/** @throws {ZorError} INVALID_ARGUMENT when flags that describe the instance are given besides the file. */
export function refuseSpecFlags(flags: InstanceFlags, words: readonly string[]): void {
  const single = [flags.driver, flags.cpus, flags.memory, flags.kernel, flags.initrd, flags.append, flags.machine];
  const repeated = [
    flags.nic,
    flags.image,
    flags.disk,
    flags.env,
    flags.label,
    words,
    flags.capAdd,
    flags.capDrop,
    flags.sysctl,
  ];
  const given =
    [...single, flags.accel, flags.rootfs, flags.persistent].some((flag) => flag !== undefined) ||
    repeated.some((list) => list.length > 0);
  if (given) throw invalidArgument("--file", "with a file, the instance is described by the file alone");
}
