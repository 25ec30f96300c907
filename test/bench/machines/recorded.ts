import { closeSync, constants, openSync } from "node:fs";
import { chown, mkdir, readFile, readlink } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { openTaps } from "../../../agent/drivers/qemu/tap.js";
import { startDaemon } from "../../../agent/host/exec.js";

/** How an agent ran a machine: what a script needs to run it once more. */
export interface Recorded {
  readonly argv: readonly string[];
  readonly user: number;
  /** What it was given open, by the number that it has in the arguments: a path, or a tap. */
  readonly inherited: readonly { readonly number: number; readonly path: string | undefined }[];
}

/** Reads how a running QEMU was started. Taps and files were opened by the agent: which are which stands in the arguments. */
export async function record(
  pid: number,
  images: { readonly kernel: string; readonly initrd: string },
): Promise<Recorded> {
  const argv = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0").slice(0, -1);
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const user = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
  const after = (flag: string): string => argv[argv.indexOf(flag) + 1] ?? "";
  const fdOf = (path: string): number => Number(/\/fd\/(\d+)$/.exec(path)?.[1]);
  const taps = argv
    .filter((_, index) => argv[index - 1] === "-netdev")
    .map((word) => Number(/,fd=(\d+)/.exec(word)?.[1]));
  const inherited = [
    { number: fdOf(after("-kernel")), path: images.kernel },
    { number: fdOf(after("-initrd")), path: images.initrd },
    ...taps.map((number) => ({ number, path: undefined })),
  ];
  const numbers = inherited.map(({ number }) => number).sort((a, b) => a - b);
  if (!numbers.every((number, index) => number === index + 3)) {
    throw new Error(`not the arguments that this benchmark knows: ${numbers.join(", ")} are what it inherits`);
  }
  return { argv: [await readlink(`/proc/${pid}/exe`), ...argv.slice(1)], user, inherited };
}

/** A machine that was started by its recorded arguments alone. */
export interface Copy {
  readonly pid: number;
  /** Resolves when its guest has said the words on its serial port. */
  readonly answered: Promise<void>;
  close(): void;
}

/** Runs a recorded machine in a directory of its own, with a tap that exists, as a script would: nobody looks after it. */
export async function runCopy(
  { argv, user, inherited }: Recorded,
  place: { readonly directory: string; readonly netns: string; readonly tap: string; readonly words: string },
): Promise<Copy> {
  const { directory, netns, tap, words } = place;
  await mkdir(directory, { mode: 0o700 });
  await chown(directory, user, user);
  const taps = openTaps(netns, [{ name: tap, queues: 1 }]).flat();
  const fds = [...inherited]
    .sort((a, b) => a.number - b.number)
    .map(({ path }) => (path === undefined ? (taps.shift() ?? -1) : openSync(path, constants.O_RDONLY)));
  try {
    const drop = ["--reuid", `${user}`, "--regid", `${user}`, "--clear-groups", "--no-new-privs", "--inh-caps=-all"];
    const logFile = `${directory}.log`;
    const pid = await startDaemon("setpriv", [...drop, "--bounding-set=-all", "--", ...argv], {
      netns,
      cwd: directory,
      logFile,
      fds,
    });
    const qmp = await connectSoon(join(directory, "qmp"), logFile);
    const console = await connectSoon(join(directory, "console"), logFile);
    const answered = waitFor(console, words);
    qmp.write('{"execute":"qmp_capabilities"}\n{"execute":"cont"}\n');
    return {
      pid,
      answered,
      close: () => {
        qmp.destroy();
        console.destroy();
      },
    };
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

async function connectSoon(path: string, logFile: string): Promise<Socket> {
  const limit = performance.now() + 60_000;
  for (;;) {
    const socket = connect(path);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    if (isOpen) return socket.resume();
    socket.destroy();
    if (performance.now() > limit) throw new Error(`QEMU does not answer: ${await readFile(logFile, "utf8")}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function waitFor(socket: Socket, words: string): Promise<void> {
  let said = "";
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString("latin1");
      if (said.includes(words)) resolve();
      said = said.slice(-4096);
    });
    socket.once("close", () => reject(new Error(`QEMU has ended before its guest was up: ${said.slice(-300)}`)));
  });
}
