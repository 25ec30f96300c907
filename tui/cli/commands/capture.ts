import { invalidArgument } from "../../../lib/errors.js";
import { toDuration } from "../../../lib/duration.js";
import { counted } from "../../../lib/words.js";
import { type CaptureResult, clockText, runCapture } from "../../client/captures/run-capture.js";
import { parseDurationMs } from "../../kit/input/durations.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { outputOf, parseBytes } from "../capture/capture-output.js";
import { findTargets } from "../capture/capture-targets.js";
import { type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import type { Session } from "../session.js";

interface CaptureOptions {
  readonly filter: string;
  readonly snap?: string;
  readonly write?: string;
  readonly ring?: string;
  readonly count?: string;
  readonly bytes?: string;
  readonly for?: string;
  readonly comment: string;
  readonly at?: string;
  readonly host?: string;
}

const maxSnap = 262_144;
const maxCount = 1_000_000_000_000;

/** `zor capture TARGET...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("capture")
    .description(
      "Show or keep the frames that pass NICs, lans, wires, links and boxes of any hosts, in the order of their times.",
    )
    .addArgument(new ResourceArgument("<target...>", "what is captured: see below", "instance"))
    .option("-f, --filter <filter>", "which frames, as in pcap-filter(7): 'icmp', 'tcp port 80 and host 10.0.0.1'", "")
    .option("-s, --snap <bytes>", `bytes kept of each frame, 14 to ${maxSnap}`)
    .option(
      "-w, --write <file>",
      "write pcapng to a file, or to a pipe with -; default: decode here, with tshark or tcpdump",
    )
    .option("--ring <files>", "write a ring of files, the oldest of which goes when there are more: 5x10M")
    .option("-c, --count <frames>", "end after so many frames")
    .option("--bytes <bytes>", "end after so many bytes: 64K, 10M")
    .option("--for <time>", "end after this time: 10s, 5m")
    .option("--comment <text>", "a comment to keep with the file", "")
    .option("--at <host>", "which end of links, by its host; default: the first one")
    .option("--host <host>", "the host of names without one")
    .action(async (targets: readonly string[], options: CaptureOptions) => {
      const session = open(command);
      await capture(session, targets, options);
    });
  withNotes(
    command,
    `A target is alpha/c1:eth0 (a NIC), alpha/c1 (all NICs of an instance), alpha/lan1 (each frame once, as it enters the
lan), a wire, an in-line box (both its sides), a tap, a nat, a link by its name (decrypted, where it meets the lan), or
device:alpha/eth0 (a device of the host that its agent's setting captureDevices names). Where several things have a name,
say which: lan:alpha/x.

Ctrl-C ends the capture; what is there already is still written. What is lost on the way is counted and told.`,
  );
  withExamples(
    command,
    "zor capture alpha/c1:eth0 -f icmp",
    "zor capture alpha/c1:eth0 beta/c2:eth0 -w both.pcapng -c 1000",
    "zor capture demo -s 128 -w - | wireshark -k -i -",
    "zor capture alpha/lan1 -w lan1.pcapng --ring 5x10M",
  );
}

async function capture(session: Session, texts: readonly string[], options: CaptureOptions): Promise<void> {
  const snapBytes = options.snap === undefined ? maxSnap : parseWhole("--snap", options.snap, 14, maxSnap);
  const maxPackets =
    options.count === undefined ? Number.POSITIVE_INFINITY : parseWhole("--count", options.count, 1, maxCount);
  const maxBytes = options.bytes === undefined ? Number.POSITIVE_INFINITY : parseBytes("--bytes", options.bytes);
  const forMs = options.for === undefined ? undefined : parseDurationMs("--for", options.for);
  const output = outputOf(session, options);
  if (texts.length > 64) throw invalidArgument("target", "at most 64 targets at once");
  const targets = await findTargets(session, texts, options);
  const connection = await session.connect();
  const limits = {
    maxPackets: Number.isFinite(maxPackets) ? BigInt(maxPackets) : 0n,
    maxDuration: forMs === undefined ? undefined : toDuration(forMs),
  };
  const hosts = [...targets].map(([host, own]) => ({
    host,
    connection,
    request: { targets: [...own], filter: options.filter, snapBytes, ...limits },
  }));
  const result = await runCapture({
    ...{ hosts, output, maxPackets, maxBytes, snapBytes, filter: options.filter, comment: options.comment },
    stop: session.io.signal,
    onNotice: (text) => session.note(escapeText(text)),
  });
  session.note(escapeText(summary(result)));
}

/** What it came to, for people. */
function summary({ packets, dropped, unread, late, clocks }: CaptureResult): string {
  const parts = [
    counted(packets, "frame"),
    ...(dropped > 0 ? [`${dropped} dropped by the hosts' kernels`] : []),
    ...(unread > 0 ? [`${unread} not read in time`] : []),
    ...(late > 0 ? [`${late} out of order`] : []),
  ];
  const each = [...clocks].map(
    ([host, { offsetNs, errorNs }]) => `${shortName(`hosts/${host}`)} ${clockText(offsetNs, errorNs)}`,
  );
  return `${parts.join(", ")}${each.length === 0 ? "" : `; clocks against this one: ${each.join(", ")}`}`;
}
