import { once } from "node:events";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isLeaseFile, LeaseGuard } from "../../../../../agent/network/nat/lease-guard.js";
import { spawnOwned } from "../../../../helpers/owned.js";

const leases = `1764300000 02:aa:00:00:00:01 10.1.0.2 web 01:02:aa:00:00:00:01
duid 00:01:00:01:2f:01:02:03:02:aa:00:00:00:01
1764300000 11 fd77::1000 * 00:01:00:01:2f
`;

/** A file with leases, and the pid of who has it open. */
async function kept(): Promise<{ readonly file: string; readonly pid: number }> {
  const directory = await mkdtemp(join(tmpdir(), "zt-leases-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const file = join(directory, "leases");
  await writeFile(file, leases);
  await using handle = await open(file, "r+");
  const child = spawnOwned("sleep", ["600"], { stdio: ["ignore", "ignore", "ignore", handle.fd] });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  return { file, pid: child.pid ?? 0 };
}

test("what dnsmasq writes is a file of leases, also when it is empty; anything else is none", () => {
  expect([leases, "", "1764300000 00- 10.1.0.2 * *\n"].map(isLeaseFile)).toEqual([true, true, true]);
  expect(["nonsense\n", `${leases}\0\0\0\n`, "1764300000 10.1.0.2\n"].map(isLeaseFile)).toEqual([false, false, false]);
});

test.each([
  ["removed", (file: string) => rm(file)],
  [
    "replaced",
    async (file: string) => {
      await rm(file);
      await writeFile(file, "1 02:aa:00:00:00:09 10.1.0.9 * *\n");
    },
  ],
  ["removed with its directory", (file: string) => rm(join(file, ".."), { recursive: true })],
])("a file that is %s is what its program has", async (_, act) => {
  const { file, pid } = await kept();
  const guard = new LeaseGuard();
  expect(await guard.look(file, pid)).toBe("");
  await act(file);
  expect(await guard.look(file, pid)).toBe("its file of leases was removed or replaced");
  expect(guard.isLost).toBe(true);
  await guard.restore(file);
  expect(await readFile(file, "utf8")).toBe(leases);
  expect(guard.isLost).toBe(false);
});

test("a file that is overwritten is what it was, unless its program is just writing it", async () => {
  const { file, pid } = await kept();
  const guard = new LeaseGuard();
  await guard.look(file, pid);
  await writeFile(file, leases.slice(0, -30).replace("1764300000 11", "17643"));
  expect(await guard.look(file, pid)).toBe("");
  await writeFile(file, "nonsense\n");
  expect(await guard.look(file, pid)).toBe("");
  expect(await guard.look(file, pid)).toBe("its file of leases was overwritten");
  await guard.restore(file);
  expect(await readFile(file, "utf8")).toBe(leases);
  expect(await guard.look(file, 0)).toBe("");
});

test("what was never seen whole is left to its program", async () => {
  const { file, pid } = await kept();
  const guard = new LeaseGuard();
  await writeFile(file, "nonsense\n");
  for (let count = 0; count < 3; count += 1) expect(await guard.look(file, pid)).toBe("");
});
