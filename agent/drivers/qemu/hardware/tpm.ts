import { closeSync } from "node:fs";
import { chown, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition, messageOf } from "../../../../lib/errors.js";
import { createSocketPair } from "../../../../lib/net/socket-pair.js";
import { endProcess, findIdentity, isAlive, type ProcessIdentity } from "../../../../lib/process.js";
import { run, startDaemon, ToolError } from "../../../host/exec.js";
import { firstInheritedFd, type InheritedFd } from "../inherited-files.js";
import { numberOf, parseObject, textOf } from "../json.js";
import { violation } from "../options.js";
import { toUnprivileged } from "../privileges.js";
import type { HardwarePart, Launch } from "./part.js";

const endGraceMs = 1000;

/** A TPM 2.0: a program of its own, which speaks to QEMU over a pair of sockets that nobody else has, and ends with it. */
export const tpm: HardwarePart<InheritedFd> = {
  check: ({ options }) =>
    options.tpm && options.machine === "microvm"
      ? [violation("qemu.tpm", 'a microvm has no place for one; use "q35"')]
      : [],
  admit: async ({ options }, { signal }) => {
    if (options.tpm) await assertInstalled(signal);
  },
  open,
  toArguments: (fd, { machine }) => ({
    argv: [
      ...["-chardev", `socket,id=tpm,fd=${fd}`, "-tpmdev", "emulator,id=tpm,chardev=tpm"],
      ...["-device", machine === "virt" ? "tpm-tis-device,tpmdev=tpm" : "tpm-crb,tpmdev=tpm"],
    ],
  }),
  findProblem: async ({ options }, directory) => {
    if (!options.tpm) return undefined;
    const identity = await findTpm(directory);
    if (identity !== undefined && (await isAlive(identity))) return undefined;
    return "the program of its TPM (swtpm) has ended: the guest's TPM does not answer; stop and start the machine";
  },
  remove: async (directory) => {
    await endTpm(directory);
    for (const path of [stateOf(directory), handleOf(directory), logOf(directory)]) {
      await rm(path, { recursive: true, force: true });
    }
  },
};

function stateOf(directory: string): string {
  return join(directory, "tpm");
}

/** Which process it is; also for the agent's next life. */
function handleOf(directory: string): string {
  return join(directory, "tpm.json");
}

function logOf(directory: string): string {
  return join(directory, "tpm.log");
}

async function assertInstalled(signal: AbortSignal): Promise<void> {
  try {
    await run("swtpm", ["--version"], { signal });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const field = "instance.spec.qemu.tpm";
    const message = `${field}: ${messageOf(error)}; install it on the host with: apt-get install swtpm`;
    throw failedPrecondition("TPM_UNAVAILABLE", field, message);
  }
}

async function open({
  options,
  instance,
  user,
  network,
  inherited,
  resource,
  signal,
}: Launch): Promise<InheritedFd | undefined> {
  if (!options.tpm) return undefined;
  await assertInstalled(signal);
  const { directory } = instance;
  // One whose machine has only just ended.
  await endTpm(directory);
  await mkdir(stateOf(directory), { recursive: true, mode: 0o700 });
  await chown(stateOf(directory), user, user);
  await rm(logOf(directory), { force: true });
  // Neither has a name in the file system. QEMU inherits one; the other is the TPM's alone.
  const [machineEnd, tpmEnd] = createSocketPair();
  const fd = inherited.adopt(machineEnd);
  try {
    const words = ["socket", "--tpm2", "--tpmstate", "dir=.,mode=0600", "--flags", "startup-clear", "--terminate"];
    const asked = { tool: "swtpm", argv: [...words, "--ctrl", `type=unixio,clientfd=${firstInheritedFd}`] };
    const { tool, argv } = toUnprivileged(asked, user, []);
    const pid = await startDaemon(tool, argv, {
      ...{ netns: network.netns, cwd: stateOf(directory), logFile: logOf(directory), fds: [tpmEnd] },
    });
    const identity = await findIdentity(pid);
    if (identity !== undefined) {
      await writeFile(handleOf(directory), JSON.stringify(identity), { mode: 0o600 });
      return fd;
    }
  } finally {
    closeSync(tpmEnd);
  }
  const said = (await readFile(logOf(directory), "utf8").catch(() => "")).trim().split("\n").at(-1) ?? "";
  throw failedPrecondition(
    "TPM_UNAVAILABLE",
    resource,
    `${resource}: the program of its TPM ended at once: ${said.slice(0, 200)}`,
  );
}

/** The process of the TPM, as far as it is known. */
async function findTpm(directory: string): Promise<ProcessIdentity | undefined> {
  const handle = parseObject(await readFile(handleOf(directory)).catch(() => Buffer.alloc(0)));
  const [pid, startTicks] = [numberOf(handle, "pid"), textOf(handle, "startTicks")];
  return pid === undefined || startTicks === "" ? undefined : { pid, startTicks };
}

async function endTpm(directory: string): Promise<void> {
  const identity = await findTpm(directory);
  if (identity !== undefined && (await isAlive(identity))) await endProcess(identity, endGraceMs);
}
