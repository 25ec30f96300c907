import { invalidArgument, ZorError } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { type OvsResult, OvsServiceService, OvsTool } from "../../../proto/gen/zor/v1/ovs_service.js";
import { harmless } from "../../kit/text/log-lines.js";
import { type Registrar, ResourceArgument, withExamples, withNotes } from "../command.js";
import { exitCode } from "../exit-codes.js";
import { resolveWord } from "../resolve.js";
import type { Session } from "../session.js";

const tools: Readonly<Record<string, OvsTool>> = {
  vsctl: OvsTool.OVS_TOOL_VSCTL,
  ofctl: OvsTool.OVS_TOOL_OFCTL,
  appctl: OvsTool.OVS_TOOL_APPCTL,
};

/** `zor ovs HOST -- ovs-vsctl|ovs-ofctl|ovs-appctl ARGUMENT...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("ovs")
    .description(
      "Run ovs-vsctl, ovs-ofctl or ovs-appctl against the Open vSwitch that a host's lans are made of, and end with its exit code, or 8 when a part of its output is missing.",
    )
    .addArgument(new ResourceArgument("<host>", "host", "host"))
    .argument("<command...>", "the tool and its arguments, after --; lan/NAME stands for the bridge of a lan")
    .action(async (host: string, [first = "", ...words]: string[]) => {
      const session = open(command);
      const tool = tools[first.replace(/^ovs-/, "")];
      if (tool === undefined) {
        throw invalidArgument("command", `${quote(first)} is not ovs-vsctl, ovs-ofctl or ovs-appctl`);
      }
      const name = await resolveWord(session, "host", host, undefined);
      const result = await runTool(session, { name, tool, arguments: words });
      print(session, result);
      if (result?.truncated === true) {
        session.note(`zor: a part of the output is missing; the tool's own exit code was ${result.exitCode}`);
      }
      session.setExitCode(result?.truncated === true ? exitCode.cut : (result?.exitCode ?? 0));
    });
  withNotes(
    command,
    `Everybody may run what only reads; what changes the switch, admins. What would
leave the switch is refused for everybody: files, sockets, other databases and
options of daemons. What the agent keeps at the switch itself, such as the ports
of lans, it puts right again.`,
  );
  withExamples(
    command,
    "zor ovs alpha -- ovs-vsctl show",
    "zor ovs alpha -- ovs-vsctl --columns=name,statistics list Interface",
    "zor ovs alpha -- ovs-appctl fdb/show lan/lan1",
    "zor ovs alpha -- ovs-ofctl dump-flows lan/lan1",
    "zor ovs alpha -- ovs-appctl ofproto/trace lan/lan1 in_port=1,dl_dst=02:00:00:00:00:01",
  );
}

interface Asked {
  readonly name: string;
  readonly tool: OvsTool;
  readonly arguments: string[];
}

/** Only the agent knows which commands change something: it is asked to read first. */
async function runTool(session: Session, asked: Asked): Promise<OvsResult | undefined> {
  try {
    return (await session.call(OvsServiceService.queryOvs, asked)).result;
  } catch (error) {
    if (!(error instanceof ZorError) || error.reason !== "OVS_CHANGES") throw error;
    const request = { ...asked, requestId: session.requestId(), validateOnly: false };
    return (await session.call(OvsServiceService.runOvs, request)).result;
  }
}

function print(session: Session, result: OvsResult | undefined): void {
  const { output = "", errorOutput = "" } = result ?? {};
  const lines = (text: string): string => text.replace(/\n$/, "").split("\n").map(harmless).join("\n");
  if (output !== "") session.print(lines(output));
  if (errorOutput !== "") session.note(lines(errorOutput));
}
