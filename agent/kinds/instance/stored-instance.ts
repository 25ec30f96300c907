import { z } from "zod";
import { Instance, type InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { RecoveryHandle } from "../../drivers/driver.js";
import { parseJson, parseStored, type StoredSpec } from "../../kit/stored-spec.js";
import { formatLastEnd, type LastEnd, parseLastEnd } from "./last-end.js";
import type { Life } from "./restart-plan.js";

/** What the disk holds of an instance: what it should be, never what it is. */
export type StoredInstance = StoredSpec<Instance>;

/** What the disk holds of a running instance. The uid and kind allow to recognise it when its spec is lost. */
export interface StoredHandle {
  readonly uid: string;
  /** Kind of its driver. */
  readonly kind: string;
  readonly handle: RecoveryHandle;
  /** Run of the host's kernel in which it was written; undefined in files of agents up to 0.1. */
  readonly bootId: string | undefined;
}

/** How the last run of an instance ended, or why it could not be started. Nothing goes by it: it is for people. */
export interface StoredEnd {
  readonly state: "stopped" | "failed";
  /** Why it does not run; "": there is nothing to say, or it runs. */
  readonly reason: string;
  /** Undefined: it has not ended yet, or an agent up to 0.1 wrote this. */
  readonly end: LastEnd | undefined;
}

const storedHandleSchema = z.object({
  version: z.literal(1),
  uid: z.string().min(1),
  kind: z.string(),
  handle: z.object({ pid: z.int().positive(), startTicks: z.string(), extra: z.record(z.string(), z.string()) }),
  bootId: z.string().optional(),
});

const storedEndSchema = z.object({
  version: z.literal(1),
  state: z.enum(["stopped", "failed"]),
  reason: z.string(),
  end: z.unknown().optional(),
});

const storedLifeSchema = z.object({
  version: z.literal(1),
  restarts: z.int().min(0),
  nextTime: z.iso.datetime().optional(),
  givenUp: z.boolean(),
  askedBy: z.string().optional(),
});

/** Reads a spec file; undefined when it is not a whole, valid one of instance `id`. */
export function parseStoredInstance(id: string, text: string): StoredInstance | undefined {
  const stored = parseStored<Instance>("instance", id, text);
  return stored?.resource.spec.driver === undefined ? undefined : stored;
}

/** Text of a handle file. */
export function formatStoredHandle(stored: StoredHandle): string {
  return `${JSON.stringify({ version: 1, ...stored })}\n`;
}

/** Reads a handle file; undefined when it is not a whole, valid one. */
export function parseStoredHandle(text: string): StoredHandle | undefined {
  const parsed = storedHandleSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { uid, kind, handle, bootId } = parsed.data;
  return { uid, kind, handle, bootId };
}

/** Text of the file about the last end. */
export function formatStoredEnd(stored: StoredEnd): string {
  const end = stored.end === undefined ? undefined : formatLastEnd(stored.end);
  return `${JSON.stringify({ version: 1, ...stored, end })}\n`;
}

/** Reads a file about the last end; undefined when it is not a whole, valid one. */
export function parseStoredEnd(text: string): StoredEnd | undefined {
  const parsed = storedEndSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { state, reason, end } = parsed.data;
  return { state, reason, end: parseLastEnd(end) };
}

/** Text of the file about restarts. */
export function formatStoredLife(life: Life): string {
  return `${JSON.stringify({ version: 1, ...life })}\n`;
}

/** Reads a file about restarts; undefined when it is not a whole, valid one. */
export function parseStoredLife(text: string): Life | undefined {
  const parsed = storedLifeSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { restarts, nextTime, givenUp, askedBy } = parsed.data;
  return { restarts, nextTime: nextTime === undefined ? undefined : new Date(nextTime), givenUp, askedBy };
}

/** Text of the file about the specification that what runs has. */
export function formatStoredRunning(spec: InstanceSpec): string {
  return `${JSON.stringify({ version: 1, running: Instance.toJSON(Instance.fromPartial({ spec })) })}\n`;
}

const storedRunningSchema = z.object({ version: z.literal(1), running: z.looseObject({ spec: z.looseObject({}) }) });

/** Reads a file about the specification that what runs has; undefined when it is not a whole, valid one. */
export function parseStoredRunning(text: string): InstanceSpec | undefined {
  const parsed = storedRunningSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  try {
    return Instance.fromJSON(parsed.data.running).spec;
  } catch {
    return undefined;
  }
}
