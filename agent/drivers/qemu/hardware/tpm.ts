import { closeSync } from "node:fs";
import { chown, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../../lib/errors.js";
import { createSocketPair } from "../../../../lib/net/socket-pair.js";
import { run, ToolError } from "../../../host/exec.js";
import { Companion } from "../companion.js";
import { firstInheritedFd, type InheritedFd } from "../inherited-files.js";
import { violation } from "../options.js";
import { toUnprivileged } from "../privileges.js";
import type { HardwarePart, Launch } from "./part.js";
import { toldOf } from "../../../host/told.js";

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
    const program = programOf(directory);
    await program.boundLog();
    if (await program.isAlive()) return undefined;
    return "the program of its TPM (swtpm) has ended: the guest's TPM does not answer; stop and start the machine";
  },
  end: async (directory) => await programOf(directory).end(),
  remove: async (directory) => {
    await programOf(directory).remove();
    await rm(stateOf(directory), { recursive: true, force: true });
  },
};

function stateOf(directory: string): string {
  return join(directory, "tpm");
}

function programOf(directory: string): Companion {
  return new Companion(directory, "tpm");
}

async function assertInstalled(signal: AbortSignal): Promise<void> {
  try {
    await run("swtpm", ["--version"], { signal });
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const field = "instance.spec.qemu.tpm";
    const message = `${field}: ${toldOf(error)}; install it on the host with: apt-get install swtpm`;
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
  const state = stateOf(instance.directory);
  const program = programOf(instance.directory);
  // One whose machine has only just ended must not write its state any more.
  await program.end();
  await mkdir(state, { recursive: true, mode: 0o700 });
  await chown(state, user, user);
  // Neither has a name in the file system. QEMU inherits one; the other is the TPM's alone.
  const [machineEnd, tpmEnd] = createSocketPair();
  const fd = inherited.adopt(machineEnd);
  try {
    const words = ["socket", "--tpm2", "--tpmstate", "dir=.,mode=0600", "--flags", "startup-clear", "--terminate"];
    const asked = { tool: "swtpm", argv: [...words, "--ctrl", `type=unixio,clientfd=${firstInheritedFd}`] };
    const command = toUnprivileged(asked, user, []);
    if (await program.start(command, { netns: network.netns, cwd: state, fds: [tpmEnd] })) return fd;
  } finally {
    closeSync(tpmEnd);
  }
  throw failedPrecondition(
    "TPM_UNAVAILABLE",
    resource,
    `${resource}: the program of its TPM ended at once: ${await program.lastWords()}`,
  );
}
