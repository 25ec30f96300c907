import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { Wire } from "../../../proto/gen/zor/v1/wire.js";
import { hostOf } from "../../kit/resource-name.js";
import {
  impairmentFlags,
  impairmentNote,
  readImpairment,
  readImpairmentChange,
} from "../../kit/input/impairment-flags.js";
import { hostOfEnd, readEnd } from "../../kit/input/nic-word.js";
import { type Flag, type FlagValues, flagText, type KindCommands } from "../../kit/kind-commands.js";

const mtu: Flag = {
  flags: "--mtu <bytes>",
  help: "largest packet of the interfaces, from their next start on; default 1500",
};

/** What the command line can say of wires. */
export const wireCommands: KindCommands<Wire> = {
  changeable: ["labels", "annotations", "spec"],
  create: {
    description:
      "Put a wire between two NICs, taps or phys, or from one into a lan: a cable that carries every frame and shows carrier. Between two hosts it is a link.",
    words: [
      { word: "<a>", help: "one end: instance:nic, tap:NAME, phy:NAME or lan:NAME" },
      { word: "<b>", help: "the other end" },
    ],
    flags: [
      { flags: "--cut", help: "no frame passes yet" },
      { flags: "--keep-carrier", help: "an end keeps carrier when the other one is away" },
      mtu,
      ...impairmentFlags({ live: false }),
    ],
    note: impairmentNote,
    examples: [
      "alpha/r1:eth1 alpha/r2:eth1",
      "alpha/r1:eth1 beta/r3:eth1",
      "alpha/r1:eth2 tap:alpha/t1",
      "alpha/w1 r1:eth1 r2:eth1",
      "alpha/w2 r1:eth2 r3:eth1 --mtu 9000",
      "alpha/w3 r1:eth3 r4:eth1 --delay 20ms --loss 1%",
    ],
    nameOf: nameOfEnds,
    kindOf: (words, values) => {
      const [a, b] = words.map((word) => hostOfEnd(word)?.host);
      if (a === undefined || b === undefined || a === b) return undefined;
      if (values["cut"] !== true && values["mtu"] === undefined) return "link";
      throw invalidArgument("b", `is on another host, and then the wire is a link, which has no --cut and no --mtu`);
    },
    read: async (input) => {
      const { words, values } = input;
      const [a = "", b = ""] = await Promise.all(words.map((word) => readEnd(input, word)));
      assertOneHost(a, b);
      const keepCarrier = values["keepCarrier"] === true;
      return {
        spec: {
          a,
          b,
          cut: values["cut"] === true,
          keepCarrier,
          mtu: readMtu(values) ?? 0,
          ...(await readImpairment(values)),
        },
      };
    },
  },
  set: {
    description: "Plug, unplug, cut or impair a wire while frames pass. What is not said stays.",
    flags: [
      {
        flags: "--a <end>",
        help: `what one end is plugged into: instance:nic, tap:NAME, phy:NAME or lan:NAME; "": nothing`,
      },
      { flags: "--b <end>", help: "the same of the other end" },
      { flags: "--cut", help: "no frame passes, and both ends lose carrier" },
      { flags: "--no-cut", help: "it is whole again" },
      { flags: "--keep-carrier", help: "an end keeps carrier when the other one is away" },
      { flags: "--no-keep-carrier", help: "it loses it" },
      mtu,
      ...impairmentFlags({ live: true }),
    ],
    note: impairmentNote,
    examples: [
      "alpha/w1 --cut",
      "alpha/w1 --no-cut",
      "alpha/w1 --b r3:eth1",
      "alpha/w1 --delay 50ms --loss 1%",
      "alpha/w1 --clear",
    ],
    read: async (input) => {
      const { values } = input;
      const [a, b] = await Promise.all(
        ["a", "b"].map(async (end) => {
          const word = flagText(values, end);
          return word === undefined ? undefined : await readEnd(input, word);
        }),
      );
      const said = { a, b, cut: values["cut"], keepCarrier: values["keepCarrier"], mtu: readMtu(values) };
      const spec = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
      const paths = Object.keys(spec).map((name) => `spec.${name === "keepCarrier" ? "keep_carrier" : name}`);
      const impaired = await readImpairmentChange(values);
      return { resource: { spec: { ...impaired.resource.spec, ...spec } }, paths: [...paths, ...impaired.paths] };
    },
  },
};

/** "alpha/r1-eth1-r2-eth2" of "alpha/r1:eth1" and "alpha/r2:eth2". */
function nameOfEnds(words: readonly string[]): string {
  const [a, b] = words.map(hostOfEnd);
  const without = words[[a, b].indexOf(undefined)];
  if (a === undefined || b === undefined) {
    const form = "without a name, both ends are written HOST/INSTANCE:NIC, tap:HOST/TAP, phy:HOST/PHY or lan:HOST/LAN";
    const examples = "alpha/r1:eth1";
    throw invalidArgument("a", `${quote(without ?? "")} is not that: ${form}, for example ${examples}`);
  }
  const id = `${a.id}-${b.id}`;
  // A link has no host.
  return a.host === b.host ? `${a.host}/${id}` : id;
}

function assertOneHost(a: string, b: string): void {
  const [first, second] = [hostOf(a), hostOf(b)];
  if (first === second || first === undefined || second === undefined) return;
  const why = `is on ${second} and the other end on ${first}`;
  throw invalidArgument(
    "b",
    `${why}; write both with HOST, as HOST/INSTANCE:NIC, without HOST in the name, and the wire is a link`,
  );
}

function readMtu(values: FlagValues): number | undefined {
  const text = flagText(values, "mtu");
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw invalidArgument("--mtu", `${quote(text)} is not a number of bytes`);
  return Number(text);
}
