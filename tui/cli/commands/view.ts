import { once } from "node:events";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { quote } from "../../../lib/names.js";
import { understandsEscapes } from "../../../lib/terminal.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { resolveName } from "../resolve.js";
import { serveViewer } from "../serve-viewer.js";
import {
  chooseViewer,
  protocolsOf,
  type ScreenProtocol,
  screenProtocols,
  viewerNames,
} from "../../client/screen/viewers.js";
import { takePicture } from "../../client/screen/take-picture.js";
import { writeWholeFile } from "../../client/whole-file.js";
import type { Session } from "../session.js";

interface ViewOptions {
  readonly host?: string;
  readonly png?: string;
  readonly term?: boolean;
  readonly port: string;
  readonly viewer?: string;
  readonly protocol?: string;
}

/** `zor view NAME`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("view")
    .description(
      "Look at the screen of a machine that has a display, with a viewer of this machine (VNC or SPICE), in this terminal, or as a picture.",
    )
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .option("--host <host>", "the host of a name without one")
    .option("--png <file>", "take a picture and write it there; - is standard output")
    .option("--term", "show it in this terminal, with its keyboard; Ctrl-] leaves")
    .option("--port <port>", "port of this machine that viewers connect to; 0 takes a free one", "0")
    .option("--protocol <protocol>", "vnc or spice (default: spice where the machine has it)")
    .option(
      "--viewer <command>",
      'viewer to start, with {host} and {port}, or {socket}, in its words; "none" only prints where to connect to',
    )
    .action(async (text: string, options: ViewOptions) => {
      const session = open(command);
      const port = parseWhole("--port", options.port, 0, 65_535);
      if (options.png !== undefined && options.term === true) {
        throw invalidArgument("--term", "cannot be given together with --png");
      }
      const protocol = readProtocol(options);
      if (options.term === true) assertTerminal(session);
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      if (options.png !== undefined) await savePicture(session, name, options.png);
      else if (options.term === true) await showHere(session, name);
      else {
        const protocols = protocol === undefined ? await findProtocols(session, name) : [protocol];
        const wanted = { protocols, viewer: options.viewer, hasPort: port !== 0, env: session.io.env };
        await serveViewer(session, name, { ...(await chooseViewer(wanted)), port });
      }
    });
  withNotes(
    command,
    `Without --viewer the first of ${viewerNames.join(" and ")} is started where there is a display, and
zor ends with it; else zor prints where to connect to and passes viewers on until
it is interrupted. A machine has a screen when it was made with --display, and SPICE
with --spice. SPICE is at a socket that only you reach, unless --port is given.`,
  );
  withExamples(
    command,
    "zor view alpha/vm1",
    "zor view alpha/vm1 --term",
    "zor view alpha/vm1 --png screen.png",
    "zor view alpha/vm1 --viewer 'gvncviewer {host}::{port}'",
    "zor view alpha/vm1 --protocol spice --viewer none",
  );
}

/** @throws {ZorError} INVALID_ARGUMENT */
function readProtocol({ protocol, term, png }: ViewOptions): ScreenProtocol | undefined {
  if (protocol === undefined) return undefined;
  const known = screenProtocols.find((each) => each === protocol);
  if (known === undefined) throw invalidArgument("--protocol", `${quote(protocol)} is neither vnc nor spice`);
  if (term === true || png !== undefined) {
    throw invalidArgument("--protocol", "is for viewers; it does not go with --term and --png");
  }
  return known;
}

/** How the screen can be shown, the best first. */
async function findProtocols(session: Session, name: string): Promise<readonly ScreenProtocol[]> {
  const { instance } = await session.call(InstanceServiceService.getInstance, { name });
  return instance === undefined ? ["vnc"] : protocolsOf(instance);
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

async function savePicture(session: Session, name: string, file: string): Promise<void> {
  const { terminal, signal } = session.io;
  if (file === "-" && terminal.output.isTTY === true) {
    throw invalidArgument("--png", "a picture is not for a terminal; name a file, or use --term");
  }
  const connection = await session.connect();
  const picture = await takePicture(connection, name, signal);
  if (file === "-") {
    if (!terminal.output.write(picture)) await once(terminal.output, "drain", { signal });
    return;
  }
  await writeWholeFile(file, picture);
  session.note(`${shortName(name)}: ${file}, ${picture.length} bytes`);
}
