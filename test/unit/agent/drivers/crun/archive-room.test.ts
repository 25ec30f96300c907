import { expect, it } from "vitest";
import { ArchiveRoom } from "../../../../../agent/drivers/crun/archive-room.js";
import { archiveCommand } from "../../../../../agent/drivers/crun/merged-root.js";

const mib = 1024 * 1024;

it("looks for room again when more comes than was expected", async () => {
  const asked: number[] = [];
  const room = new ArchiveRoom(async (bytes) => {
    asked.push(bytes);
    if (asked.length > 2) throw new Error("the disk is full");
  });
  await room.expect(10 * mib);
  for (let count = 0; count < 10; count += 1) await room.take(mib);
  expect(asked).toEqual([10 * mib]);
  for (let count = 0; count < 64; count += 1) await room.take(mib);
  expect(asked).toEqual([10 * mib, 64 * mib]);
  await expect(room.take(mib)).rejects.toThrow("full");
});

it("bounds the list of what is archived, and not the archive", () => {
  const root = { kind: "directory", path: "/srv/root" } as const;
  const [script = "", ...words] = archiveCommand(root, { stage: "/s", list: "/l" }).slice(7);
  expect(script).toContain("if ! (ulimit -S -f 2097152; exec find . -xdev");
  expect(words.slice(0, 4)).toEqual(["zor", "directory", "/s", "/l"]);
});
