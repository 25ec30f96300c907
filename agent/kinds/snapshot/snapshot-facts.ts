import { z } from "zod";
import { SnapshotState, type Snapshot, type SnapshotStatus } from "../../../proto/gen/zor/v1/snapshot.js";
import type { Made } from "../../kit/made-resources.js";

const schema = z.object({
  sizeBytes: z.number().min(0),
  consistent: z.boolean(),
  extra: z.record(z.string(), z.string()),
  /** Ids of the volumes that it is kept in too; none: in none. */
  volumes: z.array(z.string()).readonly().optional(),
  timeMs: z.number(),
  /** When the instance was last at it; the newest of an instance is where it descends from. 0: not since it descends from none. */
  currentMs: z.number(),
  /** The instance is being taken back to it, and a restart must finish that. */
  reverting: z.boolean(),
});

/** What is known of a snapshot that was taken. */
export type Facts = z.output<typeof schema>;
export type MadeSnapshot = Made<Snapshot, Facts>;

/** Undefined for what are no facts. */
export function parseFacts(json: unknown): Facts | undefined {
  const parsed = schema.safeParse(json);
  return parsed.success ? parsed.data : undefined;
}

/** The snapshot an instance descends from, with none between; undefined: there is none. */
export function currentOf(all: readonly MadeSnapshot[], instanceUid: string): MadeSnapshot | undefined {
  const own = all.filter(
    ({ resource, facts, isDoomed }) =>
      (facts?.currentMs ?? 0) > 0 && !isDoomed && resource.spec.instanceUid === instanceUid,
  );
  return own.reduce<MadeSnapshot | undefined>(
    (newest, each) => ((newest?.facts?.currentMs ?? 0) < (each.facts?.currentMs ?? 0) ? each : newest),
    undefined,
  );
}

/** What is observed of a snapshot among the others. */
export function toStatus({ id, resource, facts }: MadeSnapshot, all: readonly MadeSnapshot[]): SnapshotStatus {
  const above = ancestorsOf(resource.spec.parent, all);
  return {
    state: facts === undefined ? SnapshotState.SNAPSHOT_STATE_CREATING : SnapshotState.SNAPSHOT_STATE_READY,
    current: currentOf(all, resource.spec.instanceUid)?.id === id,
    depth: above.length,
    path: [...above, id].join("/"),
    sizeBytes: BigInt(facts?.sizeBytes ?? 0),
    snapshotTime: facts === undefined ? undefined : new Date(facts.timeMs),
    consistent: facts?.consistent ?? false,
    volumes: [...(facts?.volumes ?? [])],
  };
}

/** Ids of the snapshots above, the root first. */
function ancestorsOf(parent: string, all: readonly MadeSnapshot[]): readonly string[] {
  const parents = new Map(all.map(({ id, resource }) => [id, resource.spec.parent]));
  const above: string[] = [];
  // A damaged file may close a circle.
  for (let at = parent; at !== "" && !above.includes(at); at = parents.get(at) ?? "") above.unshift(at);
  return above;
}
