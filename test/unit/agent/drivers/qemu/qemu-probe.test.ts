import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { assertHasSpice, findSpiceProblem } from "../../../../../agent/drivers/qemu/qemu-probe.js";

const path = process.env["PATH"];
const { signal } = new AbortController();
let directory: string;

/** Has a QEMU answer that it has these character devices. */
async function putQemu(chardevs: readonly string[]): Promise<void> {
  const answer = (id: string, names: readonly string[]) =>
    JSON.stringify({ return: names.map((name) => ({ name })), id });
  const answers = [answer("devices", ["usb-redir"]), answer("chardevs", chardevs), answer("schema", [])];
  await writeFile(join(directory, "answers"), answers.map((line) => `${line}\n`).join(""));
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-probe-"));
  const program = join(directory, "qemu-system-x86_64");
  const script = `[ "$1" = --version ] && { echo 'QEMU emulator version 99.9.9'; exit; }\ncat >/dev/null\ncat '${directory}/answers'\n`;
  await writeFile(program, `#!/bin/sh\n${script}`);
  await chmod(program, 0o755);
  process.env["PATH"] = `${directory}:${path}`;
});
afterAll(async () => {
  process.env["PATH"] = path;
  await rm(directory, { recursive: true, force: true });
});

it("tells that a QEMU has no SPICE, with its package, until that is installed", async () => {
  await putQemu(["chardev-socket"]);
  expect(await findSpiceProblem(signal)).toMatch(/apt-get install qemu-system-modules-spice/);
  const refusal = expect.objectContaining({ reason: "QEMU_LACKS", resource: "instance.spec.qemu.spice" });
  await expect(assertHasSpice(signal)).rejects.toEqual(refusal);
  await putQemu(["chardev-socket", "chardev-spicevmc"]);
  await assertHasSpice(signal);
  expect(await findSpiceProblem(signal)).toBeUndefined();
});
