import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { Lan, type LanSpec, type Rspan } from "../../../proto/gen/zor/v1/lan.js";
import { parseWhole } from "../../kit/input/key-values.js";
import {
  type Change,
  type Flag,
  type FlagValues,
  flagText,
  flagTexts,
  type KindCommands,
} from "../../kit/kind-commands.js";
import { outletFlags, readOutlets } from "./outlet-flags.js";

/** What can be said of a lan at any time. */
const flags: readonly Flag[] = [
  { flags: "--rstp", help: "run the rapid spanning tree protocol; it can be turned on later, not off" },
  {
    flags: "--rstp-priority <n>",
    help: "the lan with the lowest is the root: 0 to 61440 in steps of 4096 (default: 32768)",
  },
  { flags: "--rstp-max-age <seconds>", help: "what was said of the root holds so long: 6 to 40 (default: 20)" },
  {
    flags: "--rstp-forward-delay <seconds>",
    help: "a port waits twice so long where its other end runs no RSTP: 4 to 30 (default: 15)",
  },
  { flags: "--flood", help: "be a hub: every frame goes to every port" },
  { flags: "--no-flood", help: "learn who is where again" },
  { flags: "--multicast-snooping", help: "send multicasts only to who asked for them, by IGMP and MLD" },
  { flags: "--no-multicast-snooping", help: "send multicasts to everybody again" },
  { flags: "--drop-unregistered", help: "with snooping: what nobody has asked for goes to nobody" },
  { flags: "--no-drop-unregistered", help: "with snooping: it goes to everybody" },
  {
    flags: "--flow <flow>",
    help: "a flow of its own, in the syntax of ovs-ofctl with endpoints as ports; all anew; may be repeated",
    repeatable: true,
  },
  { flags: "--no-flow", help: "no flows of its own" },
  {
    flags: "--rspan <mirror=vlan>",
    help: "copies of this mirror go out in this VLAN (RSPAN); say it in every lan that carries it; all anew; may be repeated",
    repeatable: true,
  },
  { flags: "--no-rspan", help: "no VLANs of copies" },
  ...outletFlags,
];

/** What the command line can say of lans. */
export const lanCommands: KindCommands<Lan> = {
  changeable: ["labels", "annotations", "spec"],
  create: {
    description: "Create a lan: a virtual switch on one host.",
    flags: [{ flags: "--mtu <bytes>", help: "largest packet it carries, 576 to 9216 (default: 1500)" }, ...flags],
    examples: [
      "alpha/lan1",
      "alpha/storage --mtu 9000 --label tier=backend",
      "alpha/core --rstp --rstp-priority 4096",
      "alpha/tv --multicast-snooping --drop-unregistered",
      `alpha/lan1 --flow "in_port=vm1/eth0,icmp,actions=drop"`,
      "alpha/lan1 --sflow to=10.0.0.9:6343,sampling=64 --netflow to=10.0.0.9:2055",
      "alpha/sdn --controller tcp:10.0.0.9:6653 --fail-mode secure",
    ],
    read: ({ values }) => {
      const mtu = flagText(values, "mtu");
      const { spec } = readSettings(values, undefined);
      return { spec: { ...spec, mtu: mtu === undefined ? 0 : parseWhole("--mtu", mtu, 576, 9216) } };
    },
  },
  set: {
    description: "Change how a lan forwards, while frames pass. What is not said stays.",
    flags,
    examples: [
      "alpha/core --rstp --rstp-priority 4096",
      "alpha/lan1 --flood",
      "alpha/tv --no-multicast-snooping",
      "alpha/lan1 --no-flow",
      "alpha/lan1 --rspan span1=300",
      "alpha/lan1 --ipfix to=10.0.0.9:4739,active=60 --no-sflow",
      "alpha/lan1 --no-controller",
    ],
    read: async ({ values, current }) => {
      const { spec } = Lan.fromPartial((await current()) as Lan);
      const { spec: after, paths } = readSettings(values, spec);
      if (paths.length === 0) throw invalidArgument("flags", "say what is to change, such as --rstp-priority 4096");
      return { resource: { spec: after }, paths } satisfies Change;
    },
  },
};

/** "span1=300". */
function readRspan(text: string): Rspan {
  const [mirror = "", vlan, ...rest] = text.split("=");
  if (mirror === "" || vlan === undefined || rest.length > 0) {
    throw invalidArgument("--rspan", `${quote(text)} is not MIRROR=VLAN, such as span1=300`);
  }
  return { mirror, vlan: parseWhole("--rspan", vlan, 1, 4094) };
}

/** What flags say, upon what a lan has, and the paths of it. */
function readSettings(
  values: FlagValues,
  before: LanSpec | undefined,
): { readonly spec: Partial<LanSpec>; readonly paths: readonly string[] } {
  const spec: { -readonly [Key in keyof LanSpec]?: LanSpec[Key] } = { ...before };
  const paths: string[] = [];
  const set = <Key extends keyof LanSpec>(key: Key, path: string, value: LanSpec[Key]): void => {
    spec[key] = value;
    paths.push(`spec.${path}`);
  };
  if (values["rstp"] === true) set("rstp", "rstp", true);
  const whole = (name: string, flag: string, [min, max]: readonly [number, number]): number | undefined => {
    const text = flagText(values, name);
    return text === undefined ? undefined : parseWhole(flag, text, min, max);
  };
  const priority = whole("rstpPriority", "--rstp-priority", [0, 61_440]);
  const maxAge = whole("rstpMaxAge", "--rstp-max-age", [6, 40]);
  const delay = whole("rstpForwardDelay", "--rstp-forward-delay", [4, 30]);
  if (priority !== undefined || maxAge !== undefined || delay !== undefined) {
    const was = before?.rstpSettings;
    set("rstpSettings", "rstp_settings", {
      priority: priority ?? was?.priority,
      maxAgeSeconds: maxAge ?? was?.maxAgeSeconds ?? 0,
      forwardDelaySeconds: delay ?? was?.forwardDelaySeconds ?? 0,
    });
  }
  if (typeof values["flood"] === "boolean") set("flood", "flood", values["flood"]);
  const snooping = values["multicastSnooping"];
  const drops = values["dropUnregistered"];
  if (snooping === false && drops === true) {
    throw invalidArgument("--drop-unregistered", "goes with --multicast-snooping");
  }
  if (snooping === false) set("multicastSnooping", "multicast_snooping", undefined);
  else if (snooping === true || typeof drops === "boolean") {
    const was = before?.multicastSnooping ?? { dropUnregistered: false, tableSize: 0, ageingSeconds: 0 };
    if (snooping !== true && before?.multicastSnooping === undefined) {
      throw invalidArgument("--drop-unregistered", "goes with --multicast-snooping");
    }
    const dropUnregistered = typeof drops === "boolean" ? drops : was.dropUnregistered;
    set("multicastSnooping", "multicast_snooping", { ...was, dropUnregistered });
  }
  const flows = flagTexts(values, "flow");
  if (values["flow"] === false) set("flows", "flows", []);
  else if (flows.length > 0) set("flows", "flows", [...flows]);
  const rspans = flagTexts(values, "rspan").map(readRspan);
  if (values["rspan"] === false) set("rspans", "rspans", []);
  else if (rspans.length > 0) set("rspans", "rspans", rspans);
  const outlets = readOutlets(values, before);
  if ("controller" in outlets) set("controller", "controller", outlets.controller);
  if ("flowExport" in outlets) set("flowExport", "flow_export", outlets.flowExport);
  return { spec, paths };
}
