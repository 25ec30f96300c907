import { z } from "zod";
import { codecOf } from "../../lib/kinds/codecs.js";
import type { HostResource, Whole } from "./kind.js";

/** What the disk holds of a resource: what it should be, never what it is. */
export interface StoredSpec<R extends HostResource = HostResource> {
  readonly id: string;
  /** Without status. */
  readonly resource: Whole<R>;
  /** Identity of who changed it last; "": nobody is known. */
  readonly changedBy: string;
  /** Another one whenever its specification was set. */
  readonly generation: string;
  /** How far its creation or deletion has come, for kinds whose creation takes long. */
  readonly phase: Phase;
}

/** How far a creation or deletion has come, so that a restarted agent can finish or undo it. */
export type Phase = "creating" | "ready" | "deleting";

const version = 2;

const schema = z.object({
  version: z.literal(version),
  kind: z.string(),
  id: z.string().min(1),
  changedBy: z.string(),
  generation: z.string().min(1).max(64),
  phase: z.enum(["creating", "ready", "deleting"]),
  resource: z.looseObject({
    name: z.string().min(1),
    uid: z.string().min(1),
    etag: z.string().min(1),
    spec: z.looseObject({}),
  }),
});

/** Text of a spec file. @param kind singular. */
export function formatStored<R extends HostResource>(kind: string, stored: StoredSpec<R>): string {
  const { id, changedBy, generation, phase } = stored;
  const resource = codecOf(kind).toJSON({ ...stored.resource, status: undefined });
  return `${JSON.stringify({ version, kind, id, changedBy, generation, phase, resource }, undefined, 2)}\n`;
}

/** Reads a spec file; undefined when it is not a whole, valid one of the resource `id` of that kind. */
export function parseStored<R extends HostResource>(kind: string, id: string, text: string): StoredSpec<R> | undefined {
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.id !== id || parsed.data.kind !== kind) return undefined;
  const { changedBy, generation, phase } = parsed.data;
  // The codec of the kind makes its message; that the specification is there was checked above.
  const resource = codecOf(kind).fromJSON(parsed.data.resource) as Whole<R>;
  return { id, resource, changedBy, generation, phase };
}

/** Undefined for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
