import { messageOf, unavailable } from "../../../../lib/errors.js";
import type { VolumeContent } from "../../abilities/volumes.js";
import { asObject, numberOf, textOf } from "../json.js";
import { allNodes, type BlockEngine, giveFile, slowCommandMs } from "./block-engine.js";
import { assertSelfContained } from "./self-contained.js";

/** Connecting to a server that is slow, or has just come back. */
const dialMs = 60_000;

/** The node of what is below the format of a volume; pure. @param filename what QEMU was given the open file as. */
function toProtocolNode(volume: VolumeContent, filename: string): Readonly<Record<string, unknown>> {
  switch (volume.kind) {
    case "file":
      return { driver: "file", filename };
    case "device":
      return { driver: "host_device", filename };
    case "remote":
      return volume.node;
  }
}

/** The format of what a volume is kept as; pure. */
function formatOf(volume: VolumeContent): "raw" | "qcow2" {
  return volume.kind === "file" ? volume.format : "raw";
}

/** A volume that a QEMU has open. */
export interface AddedVolume {
  /** Its node is taken away and everything that it was given for it; what is still used stays. */
  remove(): Promise<void>;
}

/** How a node is added. */
export interface AddVolumeOptions {
  /** Resource name for errors. */
  readonly resource: string;
  readonly nodeName: string;
  readonly readOnly?: boolean;
  /** Blocks that the guest needs no more are given back; default: they are. */
  readonly discard?: boolean;
  /** What else the node has. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** Has a running QEMU open a volume. On error nothing of it is left. @throws {ZorError} */
export async function addVolume(
  engine: BlockEngine,
  volume: VolumeContent,
  options: AddVolumeOptions,
): Promise<AddedVolume> {
  const { nodeName, readOnly = false, discard = true, more = {} } = options;
  await using undo = new AsyncDisposableStack();
  let filename = "";
  if (volume.kind === "remote") {
    for (const { id, data, format = "raw" } of volume.secrets) {
      // The connection has it by then, and a machine may have one already that is opened a second time for a moment.
      await engine.execute("object-add", { "qom-type": "secret", id, data, format });
      undo.defer(async () => void (await engine.execute("object-del", { id }).catch(() => undefined)));
    }
  } else {
    const given = await giveFile(engine, volume.file);
    filename = given.filename;
    undo.defer(() => given.take().catch(() => undefined));
  }
  const format = formatOf(volume);
  const access = { "read-only": readOnly, ...(discard && !readOnly ? { discard: "unmap" } : {}) };
  try {
    const file = { ...toProtocolNode(volume, filename), ...access };
    // null: none, whatever the header says.
    const backing = format === "qcow2" ? { backing: null } : {};
    await engine.execute(
      "blockdev-add",
      { driver: format, "node-name": nodeName, ...access, file, ...backing, ...more },
      volume.kind === "remote" ? dialMs : slowCommandMs,
    );
  } catch (error) {
    throw readableDial(error, options.resource);
  }
  const removeNode = () => engine.execute("blockdev-del", { "node-name": nodeName }, slowCommandMs);
  try {
    if (format === "qcow2") await assertSelfContained(engine, options.resource);
  } catch (error) {
    await removeNode().catch(() => undefined);
    throw error;
  }
  const kept = undo.move();
  return {
    remove: async () => {
      await removeNode();
      await kept.disposeAsync();
    },
  };
}

/** QEMU's words about storage, with the remedy; pure. */
function readableDial(error: unknown, resource: string): unknown {
  const said = messageOf(error);
  const driver = /Unknown driver '([a-z_]{1,20})'/.exec(said)?.[1];
  if (driver !== undefined) {
    const remedy = "install the package qemu-block-extra";
    return unavailable("QEMU_LACKS", resource, `${resource}: the QEMU of the host has no driver ${driver}; ${remedy}`);
  }
  if (!/iSCSI: Failed|Gluster connection|error connecting|Failed to connect/.test(said)) return error;
  const why = said.replace(/^.*QEMU refused blockdev-add: /, "").slice(0, 200);
  const remedy = "look whether its server runs and can be reached from this host";
  return unavailable("STORAGE_SILENT", resource, `${resource}: its storage does not answer (${why}); ${remedy}`);
}

/** Size of a node in bytes, as QEMU tells. */
export async function nodeBytes(engine: BlockEngine, nodeName: string): Promise<bigint> {
  const found = (await allNodes(engine)).find((node) => textOf(node, "node-name") === nodeName);
  return BigInt(numberOf(asObject(found?.["image"]), "virtual-size") ?? 0);
}
