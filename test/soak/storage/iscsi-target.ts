import { existsSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { spawnOwned } from "../../helpers/owned.js";
import { freshName, runTag } from "../../helpers/run-tag.js";

/** A target of iSCSI of a test's own, in user space (tgt), on loopback. */
export interface TestTarget extends AsyncDisposable {
  readonly portal: string;
  readonly target: string;
  readonly user: string;
  readonly password: string;
  /** File below a logical unit. */
  unitFile(lun: number): string;
  signal(signal: "SIGSTOP" | "SIGCONT"): void;
}

/** Starts one. @param unitMib sizes of its logical units, from number 1 on. */
export async function startTarget(unitMib: readonly number[]): Promise<TestTarget> {
  if (!existsSync("/usr/sbin/tgtd")) throw new Error("tgtd is missing; install the package tgt");
  const root = await mkdtemp(join(tmpdir(), `${runTag}-t-`));
  const port = await freePort();
  // Names its socket, of which there is one for each number.
  const control = `${port % 32_768}`;
  const target = `iqn.2026-01.test.zor:${freshName()}`;
  const portal = `127.0.0.1:${port}`;
  const tgtd = spawnOwned("tgtd", ["-f", "-C", control, "--iscsi", `portal=${portal}`], { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => tgtd.once("exit", () => resolve()));
  const admin = async (...argv: readonly string[]): Promise<void> => {
    await run("tgtadm", ["-C", control, "--lld", "iscsi", ...argv]);
  };
  await eventually(() => admin("--op", "new", "--mode", "target", "--tid", "1", "-T", target));
  const unitFile = (lun: number): string => join(root, `unit${lun}`);
  for (const [index, mib] of unitMib.entries()) {
    await using file = await open(unitFile(index + 1), "wx");
    await file.truncate(mib * 1024 * 1024);
    await admin(
      "--op",
      "new",
      "--mode",
      "logicalunit",
      "--tid",
      "1",
      "--lun",
      `${index + 1}`,
      "-b",
      unitFile(index + 1),
    );
  }
  const [user, password] = ["zor", "only-for-tests-1"];
  await admin("--op", "new", "--mode", "account", "--user", user, "--password", password);
  await admin("--op", "bind", "--mode", "account", "--tid", "1", "--user", user);
  await admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL");
  return {
    portal,
    target,
    user,
    password,
    unitFile,
    signal: (signal) => void tgtd.kill(signal),
    [Symbol.asyncDispose]: async () => {
      // It ends by nothing less.
      tgtd.kill("SIGKILL");
      await ended;
      await rm(root, { recursive: true, force: true });
      await rm(`/var/run/tgtd/socket.${control}`, { force: true });
      await rm(`/var/run/tgtd/socket.${control}.lock`, { force: true });
    },
  };
}
