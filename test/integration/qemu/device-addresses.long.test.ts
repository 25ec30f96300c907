import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { leftNetns } from "../../helpers/netns.js";
import { expectRecordedAddresses } from "./device-addresses.js";
import { type MachineFixture, makeMachineFixture } from "./machine-fixture.js";

let fixture: MachineFixture;

beforeAll(async () => {
  fixture = await makeMachineFixture();
  await writeFile(join(fixture.imageDirectory, "b.raw"), Buffer.alloc(4 * 1024 * 1024, "image"));
});
afterAll(async () => {
  await fixture[Symbol.asyncDispose]();
  expect(await leftNetns()).toEqual([]);
});

it.each([
  { machine: "q35", nics: 31, disks: 16 },
  { machine: "microvm", nics: 15, disks: 7 },
])(
  "QEMU machines of type $machine have each of $nics interfaces and $disks disks at its recorded address",
  async (wanted) => {
    await expectRecordedAddresses(fixture, wanted);
  },
);
