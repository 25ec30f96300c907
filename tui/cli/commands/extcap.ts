import { Option } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { version } from "../../../lib/program.js";
import { openCaptureFile } from "../../client/captures/capture-file.js";
import { runCapture } from "../../client/captures/run-capture.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { findTargets } from "../capture/capture-targets.js";
import { type Registrar, withExamples, withNotes } from "../command.js";
import { listKind } from "../kinds.js";
import type { Session } from "../session.js";

interface ExtcapOptions {
  readonly extcapInterfaces?: boolean;
  readonly extcapDlts?: boolean;
  readonly extcapConfig?: boolean;
  readonly capture?: boolean;
  readonly extcapInterface?: string;
  readonly extcapCaptureFilter: string;
  readonly fifo?: string;
  readonly snap: string;
}

/** Kinds that Wireshark lists. */
const listed = ["lan", "instance", "wire", "a2b", "link"] as const;
const maxSnap = 262_144;

/** `zor extcap`, as Wireshark starts it (extcap(4)). */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("extcap")
    .description("Be what Wireshark asks for its list of interfaces, and captures with.")
    .option("--extcap-interfaces", "list what can be captured")
    .option("--extcap-dlts", "tell the link type of an interface")
    .option("--extcap-config", "tell the options of an interface")
    .option("--capture", "capture at an interface, into --fifo")
    .option("--extcap-interface <name>", "the interface")
    .option("--extcap-capture-filter <filter>", "which frames, as in pcap-filter(7)", "")
    .option("--fifo <path>", "the pipe that Wireshark reads")
    .option("--snap <bytes>", "bytes kept of each frame", String(maxSnap))
    .addOption(new Option("--extcap-version <version>", "version of Wireshark").hideHelp())
    .action(async (options: ExtcapOptions) => {
      const session = open(command);
      if (options.capture === true) await capture(session, options);
      else if (options.extcapInterfaces === true) await tellInterfaces(session);
      else if (options.extcapDlts === true) session.print("dlt {number=1}{name=EN10MB}{display=Ethernet}");
      else if (options.extcapConfig === true)
        session.print(
          `arg {number=0}{call=--snap}{display=Bytes of each frame}{type=unsigned}{default=${maxSnap}}{range=14,${maxSnap}}`,
        );
      else throw invalidArgument("--extcap-interfaces", "is what to begin with; Wireshark knows the others");
    });
  withNotes(
    command,
    `Wireshark calls this from an executable file in its extcap directory (Help, About, Folders) that holds: #!/bin/sh, and on the
next line: exec zor extcap "$@"`,
  );
  withExamples(
    command,
    "zor extcap --extcap-interfaces",
    "zor extcap --capture --extcap-interface hosts/alpha/lans/lan1 --fifo /tmp/pipe",
  );
}

async function tellInterfaces(session: Session): Promise<void> {
  session.print(`extcap {version=${version}}{help=https://www.wireshark.org/docs/man-pages/extcap.html}`);
  const connection = await session.connect();
  const options = session.readOptions();
  const lists = await Promise.all(listed.map((kind) => listKind(connection, kindNamed(kind), {}, options)));
  for (const [index, { resources }] of lists.entries()) {
    for (const { value } of resources) {
      const display = `Zorhub ${listed[index] ?? ""} ${shortName(value.name)}`;
      session.print(escapeText(`interface {value=${value.name}}{display=${display}}`));
    }
  }
}

async function capture(
  session: Session,
  { extcapInterface, extcapCaptureFilter: filter, fifo, snap }: ExtcapOptions,
): Promise<void> {
  if (extcapInterface === undefined) throw invalidArgument("--extcap-interface", "must be given");
  if (fifo === undefined) throw invalidArgument("--fifo", "must be given");
  const snapBytes = parseWhole("--snap", snap, 14, maxSnap);
  const targets = await findTargets(session, [extcapInterface], { host: hostOf(extcapInterface) });
  const connection = await session.connect();
  const hosts = [...targets].map(([host, own]) => ({
    host,
    connection,
    request: { targets: [...own], filter, snapBytes },
  }));
  const none = async (): Promise<void> => undefined;
  await runCapture({
    ...{ hosts, filter, snapBytes, comment: "" },
    output: { open: () => openCaptureFile(fifo), remove: none, ring: undefined },
    maxPackets: Number.POSITIVE_INFINITY,
    maxBytes: Number.POSITIVE_INFINITY,
    stop: session.io.signal,
    onNotice: (text) => session.note(escapeText(text)),
  });
}
