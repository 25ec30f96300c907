import { failedPrecondition } from "../../../lib/errors.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import type { OvsdbOperation } from "../ovs/ovsdb-client.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import {
  findScalar,
  type OvsdbRow,
  type OvsdbValue,
  readMap,
  sameValue,
  toMapValue,
  toSetValue,
  toUuidValue,
} from "../ovs/ovsdb-values.js";
import { rspansOf } from "./bridge-settings.js";
import { mirrorKeys } from "./port-columns.js";

/** By this key of external_ids a mirror is known to be ours; one that somebody else made in our bridge stays. */
const agentKey = "zor-agent";

/** Operations that bring the mirrors of a bridge to what its ports say of them; none when they are; pure. */
export function adjustMirrors(mirror: OvsdbMirror, bridge: MirroredRow): OvsdbOperation[] {
  const agentUid = readMap(bridge.columns["external_ids"]).get(agentKey) ?? "";
  const wanted = wantedMirrors(mirror.follow(bridge, "ports", "Port"), rspansOf(bridge));
  const present = mirror
    .follow(bridge, "mirrors", "Mirror")
    .filter(({ columns }) => readMap(columns["external_ids"]).get(agentKey) === agentUid);
  const set = (mutator: "insert" | "delete", value: OvsdbValue): OvsdbOperation => ({
    op: "mutate",
    table: "Bridge",
    where: [["_uuid", "==", toUuidValue(bridge.uuid)]],
    mutations: [["mirrors", mutator, value]],
  });
  const operations: OvsdbOperation[] = [];
  const gone = present.filter(({ columns }) => !wanted.has(nameOf(columns)));
  if (gone.length > 0) operations.push(set("delete", toSetValue(gone.map(({ uuid }) => toUuidValue(uuid)))));
  for (const [name, row] of wanted) {
    const there = present.find(({ columns }) => columns["name"] === name);
    if (there === undefined) {
      // Several bridges may be changed in one transaction.
      const id = `mirror_${bridge.uuid.replaceAll("-", "_")}_${operations.length}`;
      const whole = { name, ...row, external_ids: toMapValue({ [agentKey]: agentUid }) };
      operations.push(
        { op: "insert", table: "Mirror", row: whole, "uuid-name": id },
        set("insert", ["named-uuid", id]),
      );
      continue;
    }
    const changes = Object.entries(row).filter(([column, value]) => !sameValue(there.columns[column], value));
    if (changes.length === 0) continue;
    const where = [["_uuid", "==", toUuidValue(there.uuid)]];
    operations.push({ op: "update", table: "Mirror", where, row: Object.fromEntries(changes) });
  }
  return operations;
}

/** @throws {ZorError} FAILED_PRECONDITION: the copies of a port's mirror come out of another port of the bridge already */
export function checkMirrorEnd(
  mirror: OvsdbMirror,
  bridge: MirroredRow,
  {
    port,
    endpoint,
    settings,
  }: { readonly port: string; readonly endpoint: string; readonly settings?: PortSettings | undefined },
): void {
  const ports = mirror.follow(bridge, "ports", "Port");
  for (const name of settings?.mirrorTo ?? []) {
    const other = findMirrorEnd(ports, name, port);
    if (other === undefined) continue;
    const where = readMap(other.columns["external_ids"]).get("zor-endpoint") ?? nameOf(other.columns);
    const what = `${endpoint}: the copies of mirror ${name} come out of ${where} already (port_settings.mirror_to)`;
    throw failedPrecondition("MIRROR_HAS_END", endpoint, `${what}; take it from there first, or choose another name`);
  }
}

/** The port of a bridge, beside this one, out of which the copies of a mirror come; pure. */
function findMirrorEnd(ports: readonly MirroredRow[], name: string, besides: string): MirroredRow | undefined {
  return ports.find((port) => port.columns["name"] !== besides && mirrorsOf(port, mirrorKeys.to).includes(name));
}

/** A mirror needs a source, and a place for its copies: one without is not made. One with a port and a VLAN for them is two. */
function wantedMirrors(ports: readonly MirroredRow[], rspans: ReadonlyMap<string, number>): Map<string, OvsdbRow> {
  const wanted = new Map<string, OvsdbRow>();
  const none = toSetValue([]);
  for (const name of new Set(ports.flatMap((port) => mirrorsOf(port, mirrorKeys.from)))) {
    const from = ports.filter((port) => mirrorsOf(port, mirrorKeys.from).includes(name));
    const sources = toSetValue(from.map(({ uuid }) => toUuidValue(uuid)));
    const selected = { select_all: false, select_src_port: sources, select_dst_port: sources };
    const output = findMirrorEnd(ports, name, "");
    if (output !== undefined)
      wanted.set(name, { ...selected, output_port: toUuidValue(output.uuid), output_vlan: none });
    const vlan = rspans.get(name);
    if (vlan !== undefined) wanted.set(`${name}/vlan`, { ...selected, output_port: none, output_vlan: vlan });
  }
  return wanted;
}

function nameOf(columns: OvsdbRow): string {
  return String(findScalar(columns["name"]) ?? "");
}

function mirrorsOf(port: MirroredRow, key: string): readonly string[] {
  const names = readMap(port.columns["external_ids"]).get(key) ?? "";
  return names.split(" ").filter((name) => name !== "");
}
