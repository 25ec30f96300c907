import { once } from "node:events";
import { access, constants, open as openFile, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { understandsEscapes } from "../../../lib/terminal.js";
import { ScreenServiceService } from "../../../proto/gen/zor/v1/screen_service.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { hostPort, listenFor } from "../listen-for.js";
import { resolveName } from "../resolve.js";
import { runProgram } from "../../client/run-program.js";
import type { Session } from "../session.js";

interface ViewOptions {
  readonly host?: string;
  readonly png?: string;
  readonly term?: boolean;
  readonly port: string;
  readonly viewer?: string;
}

const maxPictureBytes = 32 * 1024 * 1024;
const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const address = "127.0.0.1";
/** Viewers that are looked for, and what they are given. */
const viewers: readonly (readonly string[])[] = [
  ["remote-viewer", "vnc://{host}:{port}"],
  ["vncviewer", "{host}::{port}"],
];

/** `zor view NAME`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("view")
    .description(
      "Look at the screen of a machine that has a display, with a viewer of this machine (VNC), in this terminal, or as a picture.",
    )
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .option("--host <host>", "the host of a name without one")
    .option("--png <file>", "take a picture and write it there; - is standard output")
    .option("--term", "show it in this terminal, with its keyboard; Ctrl-] leaves")
    .option("--port <port>", "port of this machine that viewers connect to; 0 takes a free one", "0")
    .option(
      "--viewer <command>",
      'viewer to start, with {host} and {port} in its words; "none" only prints where to connect to',
    )
    .action(async (text: string, options: ViewOptions) => {
      const session = open(command);
      const port = parseWhole("--port", options.port, 0, 65_535);
      if (options.png !== undefined && options.term === true) {
        throw invalidArgument("--term", "cannot be given together with --png");
      }
      if (options.term === true) assertTerminal(session);
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      if (options.png !== undefined) await takePicture(session, name, options.png);
      else if (options.term === true) await showHere(session, name);
      else await serveViewer(session, name, { port, viewer: options.viewer });
    });
  withNotes(
    command,
    `Without --viewer the first of ${viewers.map(([name]) => name).join(" and ")} is started where there is a display, and
zor ends with it; else zor prints where to connect to and passes viewers on until
it is interrupted. A machine has a screen when it was made with --display.`,
  );
  withExamples(
    command,
    "zor view alpha/vm1",
    "zor view alpha/vm1 --term",
    "zor view alpha/vm1 --png screen.png",
    "zor view alpha/vm1 --viewer 'gvncviewer {host}::{port}'",
  );
}

function assertTerminal({ io: { terminal, env } }: Session): void {
  if (terminal.input.isTTY === true && terminal.output.isTTY === true && understandsEscapes(env)) return;
  throw invalidArgument("--term", "needs a terminal that can move its cursor; use --png, or no option");
}

async function showHere(session: Session, name: string): Promise<void> {
  const [{ showScreen }, { coloursOf }] = await Promise.all([
    import("../../client/screen/show-screen.js"),
    import("../../client/screen/half-blocks.js"),
  ]);
  const { signal, terminal, env } = session.io;
  await showScreen(await session.connect(), name, terminal, { signal, colours: coloursOf(env) });
}

async function takePicture(session: Session, name: string, file: string): Promise<void> {
  const { terminal, signal } = session.io;
  if (file === "-" && terminal.output.isTTY === true) {
    throw invalidArgument("--png", "a picture is not for a terminal; name a file, or use --term");
  }
  const connection = await session.connect();
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const { png } of connection.stream(ScreenServiceService.captureScreen, { name }, { signal })) {
    pieces.push(png);
    length += png.length;
    if (length > maxPictureBytes) throw notPng(name);
  }
  const picture = Buffer.concat(pieces);
  if (!picture.subarray(0, pngSignature.length).equals(pngSignature)) throw notPng(name);
  if (file === "-") {
    if (!terminal.output.write(picture)) await once(terminal.output, "drain", { signal });
    return;
  }
  await writeWhole(file, picture);
  session.note(`${shortName(name)}: ${file}, ${picture.length} bytes`);
}

function notPng(name: string): Error {
  return failedPrecondition(
    "NO_PICTURE",
    name,
    `${shortName(name)}: what was sent is no picture (PNG) of up to 32 MiB`,
  );
}

/** The file is there when it is whole. */
async function writeWhole(file: string, data: Uint8Array): Promise<void> {
  const scratch = `${file}.${process.pid}.part`;
  try {
    await using handle = await openFile(scratch, "wx", 0o600);
    await handle.writeFile(data);
  } catch (error) {
    await rm(scratch, { force: true });
    throw error;
  }
  await rename(scratch, file);
}

async function serveViewer(
  session: Session,
  name: string,
  { port: wanted, viewer }: { readonly port: number; readonly viewer: string | undefined },
): Promise<void> {
  const { signal, env } = session.io;
  const words = await findViewer(viewer, env);
  // Whoever is on this machine may connect to the port: it is closed as soon as the viewer has.
  const place = { address, port: wanted, once: words !== undefined };
  const { server, port } = await listenFor(session, { name, screen: true }, place);
  try {
    if (words === undefined) {
      session.print(`${hostPort(address, port)} -> screen of ${shortName(name)} (VNC)`);
      if (!signal.aborted) await once(signal, "abort");
      return;
    }
    const argv = words.map((word) => word.replaceAll("{host}", address).replaceAll("{port}", String(port)));
    const remedy = "name another with --viewer, or use --viewer none, --term or --png";
    session.setExitCode(await runProgram(argv, ["ignore", "inherit", "inherit"], { remedy, signal }));
  } finally {
    server.close();
  }
}

/** Words of the viewer to start; undefined: none. */
async function findViewer(
  asked: string | undefined,
  env: Session["io"]["env"],
): Promise<readonly string[] | undefined> {
  if (asked === "none") return undefined;
  if (asked !== undefined) {
    const words = asked.trim().split(/\s+/);
    if (words[0] === "") throw invalidArgument("--viewer", "must name a program");
    return words.some((word) => word.includes("{port}")) ? words : [...words, "{host}::{port}"];
  }
  if (!env["DISPLAY"] && !env["WAYLAND_DISPLAY"]) return undefined;
  const places = (env["PATH"] ?? "").split(delimiter).filter((place) => place !== "");
  for (const words of viewers) {
    for (const place of places) if (await canRun(join(place, words[0] ?? ""))) return words;
  }
  return undefined;
}

async function canRun(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}
