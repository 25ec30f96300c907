import { type Command, InvalidArgumentError } from "commander";
import type { JsonValue } from "@bufbuild/protobuf";
import { toDuration } from "../../../lib/duration.js";
import { invalidArgument, messageOf } from "../../../lib/errors.js";
import { descriptors } from "../../../lib/grpc/descriptors.js";
import { jsonToBytes } from "../../../lib/grpc/json.js";
import { WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { parseDurationMs } from "../../kit/input/durations.js";

/** How carefully a wave goes about it, as it is said on the command line. */
export interface SpecOptions {
  readonly maxParallel?: number;
  readonly canary?: number;
  /** "3" or "10%". */
  readonly maxFailures?: string;
  readonly batch?: number;
  readonly batchPause?: string;
  readonly pauseAfterBatch?: boolean;
  readonly pauseWhenSpent?: boolean;
  /** JSON. */
  readonly with?: string;
}

/** Gives a command the options of how carefully it goes about it. */
export function asWave(command: Command): Command {
  return command
    .option("--max-parallel <n>", "how many at the same time, 1 to 100 (default 8)", wholeNumber)
    .option("--canary <n>", "so many are done first; when one fails, no other is begun", wholeNumber)
    .option("--batch <n>", "so many are done before the next so many are begun", wholeNumber)
    .option("--batch-pause <time>", "how long it waits before each next batch, up to 1h")
    .option("--pause-after-batch", "it pauses after canaries and each batch until it is resumed")
    .option("--max-failures <n>", "so many, or so many percent (10%), may fail before no other is begun (default 0)")
    .option("--pause-when-spent", "when more have failed it pauses; the wave ends otherwise");
}

/** What a wave is to do. @throws {ZorError} INVALID_ARGUMENT */
export function specOf(method: string, names: readonly string[], options: SpecOptions): WaveSpec {
  const { maxParallel = 0, canary = 0, batch = 0, batchPause, maxFailures = "0" } = options;
  const [, count, percent] = /^(\d{1,6})(%?)$/.exec(maxFailures) ?? [];
  if (count === undefined) throw invalidArgument("--max-failures", "must be a number such as 3, or a part such as 10%");
  return WaveSpec.fromPartial({
    ...{ method, names: [...names], maxParallel, canary, batchSize: batch },
    ...(percent === "%" ? { maxFailuresPercent: Number(count) } : { maxFailures: Number(count) }),
    ...(batchPause === undefined ? {} : { batchPause: toDuration(parseDurationMs("--batch-pause", batchPause)) }),
    pauseAfterBatch: options.pauseAfterBatch === true,
    pauseWhenSpent: options.pauseWhenSpent === true,
    request: requestBytes(method, options.with ?? "{}"),
  });
}

/** The bytes of a request that is written as JSON. */
function requestBytes(method: string, json: string): Buffer {
  if (json === "{}") return Buffer.alloc(0);
  const [service = "", rpc = ""] = method.split("/");
  const methods = descriptors().registry.getService(service)?.methods;
  const input = methods?.find(({ name }) => name === rpc)?.input.typeName ?? "";
  try {
    return Buffer.from(jsonToBytes(input, JSON.parse(json) as JsonValue));
  } catch (error) {
    throw invalidArgument("--with", `is no ${input} as JSON: ${messageOf(error)}`);
  }
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(text);
}
