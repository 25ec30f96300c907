import { kindNamed } from "../../../lib/kinds/kinds.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { attachConsole, detachKey, sessionText } from "../../client/console.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { parseSerialPort } from "../../kit/input/serial-port.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { outputOption, type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { openRecordFile } from "../record-file.js";
import { resolveName } from "../resolve.js";
import { isStructured } from "../output/forms.js";
import type { OutputFormat, Session } from "../session.js";

interface ConsoleCommandOptions {
  readonly host?: string;
  readonly replay: string;
  readonly port: string;
  readonly readOnly?: boolean;
  readonly log?: string;
  readonly list?: boolean;
  readonly output: OutputFormat;
}

/** `zor console NAME`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("console")
    .description(
      `Attach this terminal to an instance's serial console. ${detachKey} detaches and leaves the instance as it is.\nWith a pipe as input, what it holds is typed and the output shown until the console closes or zor is interrupted.`,
    )
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .option("--host <host>", "the host of a name without one")
    .option("--port <port>", "serial port of a machine: 0 to 3, or ttyS0 to ttyS3", "0")
    .option("--replay <bytes>", "recent output to show first, 0 to 65536", "4096")
    .option("--read-only", "only look, whatever your role allows; nothing that is typed is sent")
    .option("--log <file>", "add what is shown to a file as well, the bytes as they come")
    .option("--list", "show who is attached, and end")
    .addOption(outputOption(["text", "json"], "text"))
    .action(async (text: string, options: ConsoleCommandOptions) => {
      const session = open(command);
      const replayBytes = parseWhole("--replay", options.replay, 0, 65_536);
      const port = parseSerialPort("--port", options.port);
      const name = await resolveName(session, kindNamed("instance"), text, options.host);
      if (options.list === true) {
        await listSessions(session, name, options.output);
        return;
      }
      await attach(session, name, { replayBytes, port, readOnly: options.readOnly === true, log: options.log });
    });
  withNotes(
    command,
    `Keys: ${detachKey} (Ctrl and the closing square bracket) detaches. It is the only key that is not sent: Ctrl-C,
Ctrl-D and Ctrl-Z go to the instance. On keyboards without that bracket Ctrl-5 is often the same.

Several people may be attached at once: all see the output, and who types is seen by
all. Viewers only look. When the hub or the agent goes away, zor says so, tries until it
is attached again, goes on where the output was, and says when some of it is missing.`,
  );
  withExamples(
    command,
    "zor console alpha/vm1",
    "zor console vm1 --replay 0",
    "zor console vm1 --port ttyS1",
    "zor console vm1 --read-only --log vm1.log",
    "zor console vm1 --list",
    "echo reboot | zor console alpha/vm1",
  );
}

interface AttachOptions {
  readonly replayBytes: number;
  readonly port: number;
  readonly readOnly: boolean;
  readonly log: string | undefined;
}

async function attach(session: Session, name: string, { log, ...options }: AttachOptions): Promise<void> {
  const connection = await session.connect();
  await using record = log === undefined ? undefined : await openRecordFile(log);
  const { signal, terminal } = session.io;
  const onNotice = (text: string): void => session.note(`${escapeText(shortName(name))}: ${text}`);
  const recorded = record === undefined ? {} : { record: (data: Uint8Array) => record.write(data) };
  const end = await attachConsole(connection, name, terminal, { ...options, ...recorded, signal, onNotice });
  const why = end.kind === "closed" ? end.reason || "the console closed" : "detached";
  session.note(escapeText(`${shortName(name)}: ${why}`));
  signal.throwIfAborted();
}

async function listSessions(session: Session, name: string, output: OutputFormat): Promise<void> {
  const { instance } = await session.call(InstanceServiceService.getInstance, { name });
  const sessions = instance?.status?.consoleSessions ?? [];
  if (isStructured(output)) {
    const { ConsoleSession } = await import("../../../proto/gen/zor/v1/console_service.js");
    await session.printJson(
      output,
      sessions.map((each) => ConsoleSession.toJSON(each)),
    );
    return;
  }
  if (sessions.length === 0) session.note(escapeText(`nobody is attached to ${shortName(name)}`));
  for (const each of sessions) {
    const since = each.attachTime?.toISOString() ?? "";
    session.print(`port ${each.port}  since ${since}  ${sessionText(each)}`);
  }
}
