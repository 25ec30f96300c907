import type { Disk } from "../../../../proto/gen/zor/v1/qemu.js";
import type { DiskFormat } from "../image-chain.js";

/** A file below a disk, in a set of descriptors of QEMU's (its add-fd). */
export interface NodeLayer {
  readonly set: number;
  readonly format: DiskFormat;
  /** It is a block device; default: no. */
  readonly isDevice?: boolean;
}

/** What QEMU reaches over the network. */
export interface RemoteLayer {
  readonly format: "raw";
  /** A protocol node. */
  readonly remote: Readonly<Record<string, unknown>>;
}

/** A block node as -blockdev and QMP's blockdev-add take it. */
export type BlockNode = Readonly<Record<string, unknown>> & { readonly "node-name": string };

/** Ways of caching, with what they mean to QEMU (qemu-img(1), "Cache modes"). */
export const cacheModes = {
  writeback: { direct: false, flush: true, writeCache: true },
  none: { direct: true, flush: true, writeCache: true },
  writethrough: { direct: false, flush: true, writeCache: false },
  directsync: { direct: true, flush: true, writeCache: false },
  unsafe: { direct: false, flush: false, writeCache: true },
} as const;

/** The way of caching of a disk. */
export function cacheOf({ cache }: Pick<Disk, "cache">): (typeof cacheModes)[keyof typeof cacheModes] {
  return cacheModes[cache === "" ? "writeback" : (cache as keyof typeof cacheModes)];
}

/** What the spec of a disk says of its top node, whatever that is over; pure. */
export function toNodeOptions(disk: Disk): Readonly<Record<string, unknown>> {
  const { direct, flush } = cacheOf(disk);
  const zeroes = disk.detectZeroes === "" || disk.detectZeroes === "off" ? {} : { "detect-zeroes": disk.detectZeroes };
  return { ...(direct || !flush ? { cache: { direct, "no-flush": !flush } } : {}), ...zeroes };
}

/** Name of the node of a layer; the top one is called as its disk. */
export function layerNode(id: string, level: number): string {
  return level === 0 ? id : `${id}base${level}`;
}

/**
 * The nodes of a disk, lowest first: a node must exist before it is named as backing; pure.
 * @param layers top first.
 * @param options.isReadOnly the top one is not written either.
 */
export function toDiskNodes(
  disk: Disk,
  layers: readonly (NodeLayer | RemoteLayer)[],
  { id, isReadOnly }: { readonly id: string; readonly isReadOnly: boolean },
): readonly BlockNode[] {
  const { direct, flush } = cacheOf(disk);
  const cache = direct || !flush ? { cache: { direct, "no-flush": !flush } } : {};
  const aio = disk.io === "" || disk.io === "threads" ? {} : { aio: disk.io };
  const zeroes = disk.detectZeroes === "" || disk.detectZeroes === "off" ? {} : { "detect-zeroes": disk.detectZeroes };
  return layers
    .map((layer, level) => {
      const { format } = layer;
      const readOnly = level > 0 || isReadOnly;
      const below = "remote" in layer ? layer.remote : { ...toFileNode(layer), ...aio };
      const hasBacking = level + 1 < layers.length;
      return {
        driver: format,
        "node-name": layerNode(id, level),
        "read-only": readOnly,
        file: { ...below, "read-only": readOnly, ...cache },
        ...(readOnly ? {} : { discard: disk.discard === false ? "ignore" : "unmap", ...zeroes }),
        ...cache,
        // null: none, whatever the header says.
        ...(format === "raw" ? {} : { backing: hasBacking ? layerNode(id, level + 1) : null }),
      };
    })
    .reverse();
}

function toFileNode({ set, isDevice = false }: NodeLayer): Readonly<Record<string, unknown>> {
  return { driver: isDevice ? "host_device" : "file", filename: `/dev/fdset/${set}` };
}
