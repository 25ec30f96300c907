import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { OvsTool, type OvsResult, type OvsServiceService } from "../../../proto/gen/zor/v1/ovs_service.js";
import { changesTheSwitch, type JudgedTool } from "../../network/ovs/tools/judge.js";
import type { SwitchTools } from "../../network/ovs/tools/tools.js";
import type { AgentContext } from "../../parts.js";

/** What a caller asks to be run. */
interface Asked {
  readonly name: string;
  readonly tool: OvsTool;
  readonly arguments: readonly string[];
}

const tools: ReadonlyMap<OvsTool, JudgedTool["tool"]> = new Map([
  [OvsTool.OVS_TOOL_VSCTL, "ovs-vsctl"],
  [OvsTool.OVS_TOOL_OFCTL, "ovs-ofctl"],
  [OvsTool.OVS_TOOL_APPCTL, "ovs-appctl"],
]);
/** Of a command in events. */
const maxToldLength = 200;

/** The service of the switch's tools of this host. */
export function ovsService({
  scope,
  parts,
  publisher,
}: Pick<AgentContext, "scope" | "parts" | "publisher">): Handlers<typeof OvsServiceService> {
  const find = ({ name, tool: asked, arguments: words }: Asked): { readonly judged: JudgedTool; at: SwitchTools } => {
    scope.parseSelf("name", name);
    const at = parts.network.switchTools;
    if (at === undefined) throw failedPrecondition("NO_SWITCH", name, "this host has no Open vSwitch of its own");
    const tool = tools.get(asked);
    if (tool === undefined) throw invalidArgument("tool", "must be OVS_TOOL_VSCTL, OVS_TOOL_OFCTL or OVS_TOOL_APPCTL");
    return { judged: at.judge({ tool, words }), at };
  };
  const tell = (request: Asked, { tool }: JudgedTool, { exitCode }: OvsResult, { caller }: CallContext): void => {
    const text = [tool, ...request.arguments.map(withoutSecrets)].join(" ");
    const shown = text.length > maxToldLength ? `${text.slice(0, maxToldLength)}…` : text;
    publisher.event({
      severity: EventSeverity.EVENT_SEVERITY_INFO,
      type: "host.ovs",
      resource: request.name,
      message: `${shown} ended with ${exitCode}`,
      caller: caller.identity,
    });
  };
  return {
    queryOvs: async (request, { signal }) => {
      const { judged, at } = find(request);
      if (judged.kind === "changes") throw changesTheSwitch(judged, request.name);
      return { result: await at.run(judged, signal) };
    },
    runOvs: async (request, context) => {
      const { judged, at } = find(request);
      if (request.validateOnly) return { result: undefined };
      const result = await at.run(judged, context.signal);
      if (judged.kind === "changes") tell(request, judged, result, context);
      return { result };
    },
  };
}

/** Values of settings whose names say that they are secret: "options:psk=***". */
function withoutSecrets(word: string): string {
  return word.replaceAll(
    /((?:psk|passw(?:or)?d|secret|private[_-]key|token)[\w-]*\s*=\s*)("[^"]*"|[^,}\s]+)/gi,
    "$1***",
  );
}
