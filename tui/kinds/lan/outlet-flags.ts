import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import { ControllerFailMode, type FlowExport, type LanController } from "../../../proto/gen/zor/v1/lan_outlet.js";
import { parseFields, parseWhole, singleField } from "../../kit/input/key-values.js";
import { type Flag, type FlagValues, flagText, flagTexts } from "../../kit/kind-commands.js";

/** What can be said of what leaves a lan's switch for others. */
export const outletFlags: readonly Flag[] = [
  {
    flags: "--netflow <settings>",
    help: "tell of its traffic in NetFlow v5: to=IP:PORT, active=SECONDS; to may be repeated",
  },
  { flags: "--no-netflow", help: "tell nobody in NetFlow" },
  {
    flags: "--sflow <settings>",
    help: "in sFlow v5: to=IP:PORT, sampling=N, polling=SECONDS, header=BYTES, agent=IP",
  },
  { flags: "--no-sflow", help: "tell nobody in sFlow" },
  {
    flags: "--ipfix <settings>",
    help: "in IPFIX: to=IP:PORT, sampling=N, active=SECONDS, max-flows=N",
  },
  { flags: "--no-ipfix", help: "tell nobody in IPFIX" },
  {
    flags: "--observation-domain <n>",
    help: "what tells it from other lans there (default, or with 0: made of its uid)",
  },
  {
    flags: "--controller <target>",
    help: "an OpenFlow controller that decides about frames: tcp:IP:PORT, ssl:IP:PORT, unix:PATH; all anew; may be repeated",
    repeatable: true,
  },
  { flags: "--no-controller", help: "the switch decides itself again" },
  {
    flags: "--fail-mode <mode>",
    help: "while no controller answers: standalone (forward as a switch does) or secure (only by the flows there are) (default: standalone)",
  },
  {
    flags: "--controller-probe <seconds>",
    help: "a controller that is silent is asked after so long, and given up after as long again: 1 to 300 (default: 5)",
  },
];

const maxSampling = 1_000_000;
const modes: Readonly<Record<string, ControllerFailMode>> = {
  standalone: ControllerFailMode.CONTROLLER_FAIL_MODE_STANDALONE,
  secure: ControllerFailMode.CONTROLLER_FAIL_MODE_SECURE,
};

/** What flags say of them, upon what a lan has; what they do not speak of is not there. */
export function readOutlets(
  values: FlagValues,
  before: Pick<LanSpec, "controller" | "flowExport"> | undefined,
): Partial<Pick<LanSpec, "controller" | "flowExport">> {
  const controller = readController(values, before?.controller);
  const flowExport = readExport(values, before?.flowExport);
  return {
    ...(controller === "same" ? {} : { controller }),
    ...(flowExport === "same" ? {} : { flowExport }),
  };
}

function readController(values: FlagValues, before: LanController | undefined): LanController | undefined | "same" {
  const targets = flagTexts(values, "controller");
  const mode = flagText(values, "failMode");
  const probe = flagText(values, "controllerProbe");
  if (values["controller"] === false) {
    if (mode !== undefined || probe !== undefined)
      throw invalidArgument("--no-controller", "goes with no other of a controller");
    return undefined;
  }
  if (targets.length === 0 && mode === undefined && probe === undefined) return "same";
  if (targets.length === 0 && before === undefined) {
    throw invalidArgument(mode === undefined ? "--controller-probe" : "--fail-mode", "goes with --controller");
  }
  const failMode = mode === undefined ? before?.failMode : modes[mode];
  if (mode !== undefined && failMode === undefined) {
    throw invalidArgument("--fail-mode", `${quote(mode)} is not standalone or secure`);
  }
  return {
    targets: targets.length === 0 ? (before?.targets ?? []) : [...targets],
    failMode: failMode ?? ControllerFailMode.CONTROLLER_FAIL_MODE_UNSPECIFIED,
    probeSeconds: probe === undefined ? (before?.probeSeconds ?? 0) : parseWhole("--controller-probe", probe, 1, 300),
  };
}

function readExport(values: FlagValues, before: FlowExport | undefined): FlowExport | undefined | "same" {
  const domain = flagText(values, "observationDomain");
  const names = ["netflow", "sflow", "ipfix"] as const;
  if (domain === undefined && names.every((name) => values[name] === undefined)) return "same";
  const after: FlowExport = {
    netflow: before?.netflow,
    sflow: before?.sflow,
    ipfix: before?.ipfix,
    observationDomain:
      domain === undefined
        ? (before?.observationDomain ?? 0)
        : parseWhole("--observation-domain", domain, 0, 0xffff_ffff),
  };
  if (values["netflow"] === false) after.netflow = undefined;
  if (values["sflow"] === false) after.sflow = undefined;
  if (values["ipfix"] === false) after.ipfix = undefined;
  const netflow = fieldsOf(values, "netflow", ["to", "active"]);
  if (netflow !== undefined) {
    after.netflow = { collectors: netflow.collectors, activeTimeoutSeconds: netflow.whole("active", 3600) };
  }
  const sflow = fieldsOf(values, "sflow", ["to", "sampling", "polling", "header", "agent"]);
  if (sflow !== undefined) {
    after.sflow = {
      collectors: sflow.collectors,
      sampling: sflow.whole("sampling", maxSampling),
      pollingSeconds: sflow.whole("polling", 3600),
      headerBytes: sflow.whole("header", 256),
      agentAddress: sflow.text("agent") ?? "",
    };
  }
  const ipfix = fieldsOf(values, "ipfix", ["to", "sampling", "active", "max-flows"]);
  if (ipfix !== undefined) {
    after.ipfix = {
      collectors: ipfix.collectors,
      sampling: ipfix.whole("sampling", maxSampling),
      activeTimeoutSeconds: ipfix.whole("active", 4200),
      maxFlows: ipfix.whole("max-flows", maxSampling),
    };
  }
  const isAny = names.some((name) => after[name] !== undefined);
  if (!isAny && domain !== undefined) {
    throw invalidArgument("--observation-domain", "goes with --netflow, --sflow or --ipfix");
  }
  return isAny ? after : undefined;
}

function fieldsOf(values: FlagValues, name: string, keys: readonly string[]) {
  const option = `--${name}`;
  const given = flagText(values, name);
  if (given === undefined) return undefined;
  const fields = parseFields(option, given, keys);
  const collectors = fields.get("to") ?? [];
  if (collectors.length === 0) throw invalidArgument(option, "needs to=IP:PORT, a collector");
  const text = (key: string): string | undefined => singleField(option, fields, key);
  const whole = (key: string, max: number): number => {
    const said = text(key);
    return said === undefined ? 0 : parseWhole(`${option} ${key}`, said, 1, max);
  };
  return { collectors, text, whole };
}
