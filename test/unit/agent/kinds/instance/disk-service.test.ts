import { expect, it } from "vitest";
import { diskService, type DiskServiceOptions } from "../../../../../agent/kinds/instance/disk-service.js";
import type { CallContext } from "../../../../../lib/grpc/service.js";
import { DiskLook, ReadDiskRequest, ReadDiskResponse } from "../../../../../proto/gen/zor/v1/disk_service.js";

const plainFile = 0o100644;

/** A service whose one instance has one file. */
function serviceWith(file: { readonly size: number; readonly modified: number }): ReturnType<typeof diskService> {
  const entry = { name: Buffer.from("f"), mode: plainFile, uid: 0, gid: 0, target: Buffer.alloc(0), ...file };
  const opened = { stat: async () => entry, [Symbol.asyncDispose]: async () => undefined };
  const files = { isSharedWhileRunning: true, openFiles: async () => opened };
  const options = {
    scope: { parse: () => "c1" },
    manager: { reach: () => ({ tell: () => undefined }) },
    access: { look: () => ({ driver: { can: { files } }, handle: { pid: 1, startTicks: "1" }, instance: {} }) },
  };
  return diskService(options as unknown as DiskServiceOptions);
}

it.each([
  [2 ** 63, 8_640_000_000_000n],
  [Number.POSITIVE_INFINITY, 8_640_000_000_000n],
  [-(2 ** 64), -8_640_000_000_000n],
  [Number.NaN, 0n],
  [1_700_000_000.5, 1_700_000_000n],
])("tells a guest's time %d as one that can be sent", async (modified, told) => {
  const place = { name: "hosts/h1/instances/c1", path: "/f" };
  const request = ReadDiskRequest.fromPartial({ place, look: DiskLook.DISK_LOOK_STAT });
  const context = { signal: new AbortController().signal, caller: { identity: "zor://user/ana" } };
  const { readDisk } = serviceWith({ size: 2 ** 63, modified });
  const parts = await Array.fromAsync(readDisk(request, context as unknown as CallContext));
  const sent = parts.map((part) => ReadDiskResponse.decode(ReadDiskResponse.encode(part as ReadDiskResponse).finish()));
  expect(sent.map(({ message }) => message)).toMatchObject([{ $case: "entry", value: { modified: told } }]);
});
