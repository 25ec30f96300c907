import { isDeepStrictEqual } from "node:util";
import { applyMask, changedPaths } from "../../../lib/kinds/mask.js";
import { Instance, type InstanceSpec, type Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { FieldChange, Timing } from "../../drivers/abilities/changeable.js";
import type { InstanceDriver } from "../../drivers/driver.js";

/** A changed field with when it takes effect. */
export interface PlannedChange {
  /** Below the specification: "cpus", "nics.eth1". */
  readonly path: string;
  readonly timing: Timing;
}

/** Whether a change of that field is none of what an instance is made of: no driver has to do with it. */
export function isOwnField(path: string): boolean {
  return ownFields.includes(path.split(".")[0] ?? "");
}

const prefix = "spec.";
/** What no driver has to do with. */
const ownFields = ["restart", "host_boot", "host_shutdown", "delete_protection", "schedules"];
const now: Timing = { when: "now" };
const nextStart: Timing = { when: "next-start" };
const remedy = "delete the instance and create it anew";

/** The fields in which two specifications of an instance differ, with when each change takes effect; pure. */
export function planChanges(
  driver: InstanceDriver,
  { before, after, isRunning }: Omit<FieldChange, "path">,
): readonly PlannedChange[] {
  return diff(before, after).map((path) => ({ path, timing: timingOf(driver, { path, before, after, isRunning }) }));
}

/** Paths of the fields in which two specifications differ; interfaces by their names; pure. */
function diff(before: InstanceSpec, after: InstanceSpec): readonly string[] {
  const [left, right] = [Instance.fromPartial({ spec: before }), Instance.fromPartial({ spec: after })];
  const paths = changedPaths("instance", left, right).map((path) => path.slice(prefix.length));
  return paths.flatMap((path) => (path === "nics" ? diffNics(before.nics, after.nics) : [path]));
}

/** "nics" alone: only their order differs. */
function diffNics(before: readonly Nic[], after: readonly Nic[]): readonly string[] {
  const names = [...new Set([...before, ...after].map(({ name }) => name))];
  const changed = names.filter((name) => !isDeepStrictEqual(findNic(before, name), findNic(after, name)));
  return changed.length === 0 ? ["nics"] : changed.map((name) => `nics.${name}`);
}

function findNic(nics: readonly Nic[], name: string): Nic | undefined {
  return nics.find((nic) => nic.name === name);
}

function timingOf(driver: InstanceDriver, change: FieldChange): Timing {
  const { path, before, after } = change;
  const [top = ""] = path.split(".");
  if (isOwnField(path)) return now;
  if (before.driver?.$case !== after.driver?.$case) return { when: "never", remedy };
  if (path === "nics") return nextStart;
  if (top === "nics") return nicTiming(driver, change);
  const { change: ability } = driver.can;
  if (ability !== undefined) return ability.timingOf(change);
  return top === "cpus" || top === "memory_mib" ? nextStart : { when: "never", remedy };
}

function nicTiming(driver: InstanceDriver, change: FieldChange): Timing {
  const { before, after, path } = change;
  const name = path.slice("nics.".length);
  const [old, next] = [findNic(before.nics, name), findNic(after.nics, name)];
  // Plugging it elsewhere, or what its lan does with its frames, is not for the driver to do.
  const inNoLan = (nic: Nic): Nic => ({ ...nic, lan: "", portSettings: undefined });
  if (old !== undefined && next !== undefined && isDeepStrictEqual(inNoLan(old), inNoLan(next))) return now;
  const isKeptInPlace = isPrefix(before.nics, after.nics) || isPrefix(after.nics, before.nics);
  // A guest knows its interfaces by their place: what is before one must stay.
  if (old !== undefined && next !== undefined) return driver.can.change?.timingOf(change) ?? nextStart;
  return isKeptInPlace ? (driver.can.change?.timingOf(change) ?? nextStart) : nextStart;
}

function isPrefix(short: readonly Nic[], long: readonly Nic[]): boolean {
  return short.every(({ name }, index) => long[index]?.name === name);
}

/** The specification as it is once the changes are made that take effect now; pure. */
export function withLiveChanges(
  before: InstanceSpec,
  after: InstanceSpec,
  changes: readonly PlannedChange[],
): InstanceSpec {
  const paths = changes.filter(({ timing }) => timing.when === "now").map(({ path }) => path);
  const nicNames = paths.filter((path) => path.startsWith("nics.")).map((path) => path.slice("nics.".length));
  const merged = mergePaths(
    before,
    after,
    paths.filter((path) => !path.startsWith("nics.")),
  );
  return { ...merged, nics: mergeNics(before.nics, after.nics, nicNames) };
}

function mergePaths(before: InstanceSpec, after: InstanceSpec, paths: readonly string[]): InstanceSpec {
  if (paths.length === 0) return before;
  const [current, wanted] = [Instance.fromPartial({ spec: before }), Instance.fromPartial({ spec: after })];
  const mask = paths.map((path) => `${prefix}${path}`);
  return applyMask({ kind: "instance", current, wanted, mask, changeable: ["spec"] }).spec ?? before;
}

/** Interfaces with those of that name as they are to be: new ones come last, those that go are at the end. */
function mergeNics(before: readonly Nic[], after: readonly Nic[], names: readonly string[]): Nic[] {
  const kept = before.flatMap((nic) => (names.includes(nic.name) ? (findNic(after, nic.name) ?? []) : nic));
  const added = after.filter(({ name }) => names.includes(name) && findNic(before, name) === undefined);
  return [...kept, ...added];
}
