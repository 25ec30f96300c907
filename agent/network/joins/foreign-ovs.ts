import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, unavailable } from "../../../lib/errors.js";
import { exists } from "../../../lib/files.js";
import { addPort, isOwned, removePort, tagKeys } from "../bridge-operations.js";
import { OvsdbClient, type OvsdbOperation } from "../ovs/ovsdb-client.js";
import type { MirroredRow } from "../ovs/ovsdb-mirror.js";
import { findScalar, listUuids, type OvsdbRow } from "../ovs/ovsdb-values.js";
import type { HostBridge, PortOwner } from "./host-bridge.js";
import { deviceMtu } from "./linux-bridge.js";

/** A database that does not answer at once is told as away. */
const timeoutMs = 3000;
/** How often it is looked whether a new port was made, and how many milliseconds lie between. */
const [looksAtNew, lookMs] = [60, 50];

/** What the database has of one bridge and one port name. */
interface Seen {
  readonly bridge: MirroredRow | undefined;
  readonly port: MirroredRow | undefined;
  readonly interface: OvsdbRow | undefined;
}

/**
 * A bridge of the host's own Open vSwitch, or undefined: it has none of that name. What is there of the port is looked at now.
 * @param socket of its database.
 * @throws {ZorError} UNAVAILABLE: the database is there and does not answer.
 */
export async function findForeignBridge(
  socket: string,
  { bridge: name, device, owner }: { readonly bridge: string; readonly device: string; readonly owner: PortOwner },
): Promise<HostBridge | undefined> {
  if (!(await exists(socket))) return undefined;
  const seen = await withDatabase(socket, (client) => look(client, name, device));
  if (seen.bridge === undefined) return undefined;
  return {
    type: "ovs",
    mtu: deviceMtu(name),
    keptMac: undefined,
    missing: (port) => missingOf(name, port, seen),
    add: async () => {
      await withDatabase(socket, async (client) => {
        const now = await look(client, name, device);
        assertOurs(now, owner, device);
        const operations = addOperations(now, owner, device);
        if (operations.length > 0) await commit(client, operations);
        await assertTaken(client, { bridge: name, device, resource: owner.name });
      });
    },
    remove: async () => {
      await withDatabase(socket, async (client) => {
        const { bridge, port } = await look(client, name, device);
        if (bridge === undefined || port === undefined || !isOwned(port, owner.agentUid)) return;
        await commit(client, removePort({ bridge: bridge, row: port }));
      });
    },
    settle: async () => undefined,
  };
}

function missingOf(name: string, device: string, { bridge, port, interface: row }: Seen): string {
  if (port === undefined || !holds(bridge, port)) return `${device} is no port of bridge ${name}`;
  const error = findScalar(row?.["error"]);
  const isTaken = Number(findScalar(row?.["ofport"])) > 0;
  if (isTaken && (error ?? "") === "") return "";
  return `bridge ${name} does not take ${device}: ${error === undefined ? "its switch has not made the port" : String(error)}`;
}

/** Waits until the switch has made a port, for a moment. @throws {ZorError} FAILED_PRECONDITION when it does not. */
async function assertTaken(
  client: OvsdbClient,
  { bridge, device, resource }: { readonly bridge: string; readonly device: string; readonly resource: string },
): Promise<void> {
  const { signal } = new AbortController();
  for (let count = 0; ; count += 1) {
    const fault = missingOf(bridge, device, await look(client, bridge, device));
    if (fault === "") return;
    if (count === looksAtNew) throw failedPrecondition("BRIDGE_REFUSES", resource, `${resource}: ${fault}`);
    await pause(lookMs, signal);
  }
}

function addOperations({ bridge, port }: Seen, { agentUid, name }: PortOwner, device: string): OvsdbOperation[] {
  if (bridge === undefined || (port !== undefined && holds(bridge, port))) return [];
  const tags = { [tagKeys.agent]: agentUid, [tagKeys.endpoint]: name };
  // One of ours that is in another bridge: somebody moved it there.
  const removal = port === undefined ? [] : [{ op: "mutate", ...outOfAll(port) } as const];
  return [...removal, ...addPort({ bridge, port: device, mtu: undefined, tags, settings: undefined })];
}

/** Takes a port out of whatever bridge has it: its row goes with the last reference. */
function outOfAll({ uuid }: MirroredRow) {
  const where = [["ports", "includes", ["uuid", uuid]]];
  return { table: "Bridge", where, mutations: [["ports", "delete", ["uuid", uuid]]] };
}

/** @throws {ZorError} FAILED_PRECONDITION: a port of that name is somebody else's. */
function assertOurs({ port }: Seen, { agentUid, name }: PortOwner, device: string): void {
  if (port === undefined || isOwned(port, agentUid)) return;
  const message = `${name}: the host's Open vSwitch has a port ${device} that this agent did not make; remove it`;
  throw failedPrecondition("DEVICE_TAKEN", name, message);
}

function holds(bridge: MirroredRow | undefined, port: MirroredRow): boolean {
  return listUuids(bridge?.columns["ports"]).includes(port.uuid);
}

async function look(client: OvsdbClient, bridge: string, device: string): Promise<Seen> {
  const select = (table: string, name: string, columns: readonly string[]): OvsdbOperation => ({
    ...{ op: "select", table },
    where: [["name", "==", name]],
    columns: ["_uuid", "name", ...columns],
  });
  const results = await client.transact([
    select("Bridge", bridge, ["ports"]),
    select("Port", device, ["external_ids"]),
    select("Interface", device, ["error", "ofport"]),
  ]);
  const [bridgeRow, port, row] = results.map(({ rows }) => rows?.[0]);
  return { bridge: toRow(bridgeRow), port: toRow(port), interface: row };
}

function toRow(columns: OvsdbRow | undefined): MirroredRow | undefined {
  const [uuid] = listUuids(columns?.["_uuid"]);
  return columns === undefined || uuid === undefined ? undefined : { uuid, columns };
}

/** As ovs-vsctl does: who waits for the switch to be done counts this number. */
async function commit(client: OvsdbClient, operations: readonly OvsdbOperation[]): Promise<void> {
  const count: OvsdbOperation = {
    ...{ op: "mutate", table: "Open_vSwitch", where: [] },
    mutations: [["next_cfg", "+=", 1]],
  };
  await client.transact([...operations, count]);
}

async function withDatabase<T>(socket: string, work: (client: OvsdbClient) => Promise<T>): Promise<T> {
  let client: OvsdbClient | undefined;
  try {
    client = await OvsdbClient.connect(socket, { timeoutMs });
    return await work(client);
  } catch (error) {
    if (client !== undefined) throw error;
    const why = "the host's Open vSwitch does not answer; start it, or see the agent's setting hostOvsSocket";
    throw unavailable("HOST_OVS_AWAY", "", why, error);
  } finally {
    client?.close();
  }
}
