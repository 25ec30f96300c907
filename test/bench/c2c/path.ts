import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import type { Station } from "./hosts.js";

/** Names of what is compared, as they stand in the report. */
export const pathNames = [
  "underlay",
  "tap-vxlan",
  "tap-qemu",
  "tap-plain",
  "tap-tls",
  "tap-relayed",
  "tap-wireguard",
  "e2e-vxlan",
  "e2e-ovs",
  "e2e-plain",
  "e2e-tls",
  "wire-vxlan",
  "wire-plain",
  "wire-tls",
  "host-veth",
  "host-hand",
  "host-lan",
  "host-wire",
] as const;

/** See {@link pathNames}. */
export type PathName = (typeof pathNames)[number];

/** A way from host a to host b that can be measured. */
export interface BenchPath {
  readonly name: PathName;
  readonly a: Station;
  readonly b: Station;
  /** Makes it the way between the stations where several share them; frames cross when it resolves. */
  use(): Promise<void>;
}

/** A path that cannot be measured, and why. */
export interface MissingPath {
  readonly name: PathName;
  readonly why: string;
}

/** Waits until a ping crosses. */
export async function crosses(a: Station, b: Station): Promise<void> {
  await eventually(() => run("ping", ["-n", "-c", "1", "-W", "1", b.ip], { netns: a.netns }), 20_000);
}

/** A path with stations of its own. */
export async function directPath(name: PathName, a: Station, b: Station): Promise<BenchPath> {
  await crosses(a, b);
  return { name, a, b, use: async () => undefined };
}
