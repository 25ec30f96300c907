import { z } from "zod";
import { Instance } from "../../proto/gen/zor/v1/instance.js";
import type { RecoveryHandle } from "../drivers/driver.js";

/** How far a creation or deletion has come, so that a restarted agent can finish or undo it. */
export type Phase = "creating" | "ready" | "deleting";

/** What the disk holds of an instance: what it should be, never what it is. */
export interface StoredInstance {
  readonly id: string;
  readonly phase: Phase;
  /** Without status. */
  readonly instance: Instance & { readonly spec: NonNullable<Instance["spec"]> };
}

/** What the disk holds of a running instance. The uid and kind allow to recognise it when its spec is lost. */
export interface StoredHandle {
  readonly uid: string;
  /** Kind of its driver. */
  readonly kind: string;
  readonly handle: RecoveryHandle;
}

const storedInstanceSchema = z.object({
  version: z.literal(1),
  id: z.string().min(1),
  phase: z.enum(["creating", "ready", "deleting"]),
  instance: z.looseObject({ name: z.string().min(1), uid: z.string().min(1), spec: z.looseObject({}) }),
});

const storedHandleSchema = z.object({
  version: z.literal(1),
  uid: z.string().min(1),
  kind: z.string(),
  handle: z.object({ pid: z.int().positive(), startTicks: z.string(), extra: z.record(z.string(), z.string()) }),
});

/** Text of a spec file. */
export function formatStoredInstance(stored: StoredInstance): string {
  const instance = Instance.toJSON({ ...stored.instance, status: undefined });
  return `${JSON.stringify({ version: 1, id: stored.id, phase: stored.phase, instance }, undefined, 2)}\n`;
}

/** Reads a spec file; undefined when it is not a whole, valid one of instance `id`. */
export function parseStoredInstance(id: string, text: string): StoredInstance | undefined {
  const parsed = storedInstanceSchema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.id !== id) return undefined;
  const instance = Instance.fromJSON(parsed.data.instance);
  const { spec } = instance;
  if (spec?.driver === undefined) return undefined;
  return { id, phase: parsed.data.phase, instance: { ...instance, spec } };
}

/** Text of a handle file. */
export function formatStoredHandle(stored: StoredHandle): string {
  return `${JSON.stringify({ version: 1, ...stored })}\n`;
}

/** Reads a handle file; undefined when it is not a whole, valid one. */
export function parseStoredHandle(text: string): StoredHandle | undefined {
  const parsed = storedHandleSchema.safeParse(parseJson(text));
  if (!parsed.success) return undefined;
  const { uid, kind, handle } = parsed.data;
  return { uid, kind, handle };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
