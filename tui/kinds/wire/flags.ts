import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { Wire } from "../../../proto/gen/zor/v1/wire.js";
import { hostOf } from "../../kit/resource-name.js";
import { type CommandInput, type Flag, type FlagValues, flagText, type KindCommands } from "../../kit/kind-commands.js";

const mtu: Flag = {
  flags: "--mtu <bytes>",
  help: "largest packet of the interfaces, from their next start on; default 1500",
};

/** What the command line can say of wires. */
export const wireCommands: KindCommands<Wire> = {
  changeable: ["labels", "annotations", "spec"],
  create: {
    description: "Put a wire between two NICs of a host: a cable that carries every frame and shows carrier.",
    words: [
      { word: "<nic-a>", help: "NIC at one end: instance:nic" },
      { word: "<nic-b>", help: "NIC at the other end" },
    ],
    flags: [
      { flags: "--cut", help: "no frame passes yet" },
      { flags: "--keep-carrier", help: "an end keeps carrier when the other one is away" },
      mtu,
    ],
    examples: ["alpha/r1:eth1 alpha/r2:eth1", "alpha/w1 r1:eth1 r2:eth1", "alpha/w2 r1:eth2 r3:eth1 --mtu 9000"],
    nameOf: nameOfEnds,
    read: async (input) => {
      const { words, values } = input;
      const [a = "", b = ""] = await Promise.all(words.map((word) => readNic(input, word)));
      assertOneHost(a, b);
      const keepCarrier = values["keepCarrier"] === true;
      return { spec: { a, b, cut: values["cut"] === true, keepCarrier, mtu: readMtu(values) ?? 0 } };
    },
  },
  set: {
    description: "Plug, unplug or cut a wire while frames pass.",
    flags: [
      { flags: "--a <nic>", help: `what one end is plugged into: instance:nic; "": nothing` },
      { flags: "--b <nic>", help: "the same of the other end" },
      { flags: "--cut", help: "no frame passes, and both ends lose carrier" },
      { flags: "--no-cut", help: "it is whole again" },
      { flags: "--keep-carrier", help: "an end keeps carrier when the other one is away" },
      { flags: "--no-keep-carrier", help: "it loses it" },
      mtu,
    ],
    examples: ["alpha/w1 --cut", "alpha/w1 --no-cut", "alpha/w1 --b r3:eth1"],
    read: async (input) => {
      const { values } = input;
      const [a, b] = await Promise.all(
        ["a", "b"].map(async (end) => {
          const word = flagText(values, end);
          return word === undefined ? undefined : await readNic(input, word);
        }),
      );
      const said = { a, b, cut: values["cut"], keepCarrier: values["keepCarrier"], mtu: readMtu(values) };
      const spec = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
      const paths = Object.keys(spec).map((name) => `spec.${name === "keepCarrier" ? "keep_carrier" : name}`);
      return { resource: { spec }, paths };
    },
  },
};

/** "alpha/r1-eth1-r2-eth2" of "alpha/r1:eth1" and "alpha/r2:eth2". */
function nameOfEnds(words: readonly string[]): string {
  const [a, b] = words.map((word) => /^(?:hosts\/)?([^/]+)\/(?:instances\/)?([^/:]+):([^/:]+)$/.exec(word)?.slice(1));
  const without = words[[a, b].indexOf(undefined)];
  if (a === undefined || b === undefined) {
    const form = "without a name, both ends are written HOST/INSTANCE:NIC";
    throw invalidArgument("nic", `${quote(without ?? "")} is not that: ${form}, for example alpha/r1:eth1`);
  }
  const [host = "", ...first] = a;
  return `${host}/${[...first, ...b.slice(1)].join("-")}`;
}

function assertOneHost(a: string, b: string): void {
  const [first, second] = [hostOf(a), hostOf(b)];
  if (first === second || first === undefined || second === undefined) return;
  const remedy = "plug each into a lan of its host, and join the lans with: zor create link";
  throw invalidArgument(
    "nic-b",
    `is on ${second} and the other end on ${first}; a wire joins NICs of one host: ${remedy}`,
  );
}

/** "r1:eth1" or "alpha/r1:eth1". */
async function readNic(input: CommandInput, word: string): Promise<string> {
  if (word === "") return "";
  const at = word.lastIndexOf(":");
  if (at <= 0 || at + 1 === word.length)
    throw invalidArgument("nic", `${quote(word)} is not an instance and its NIC, such as r1:eth1`);
  return `${await input.resolve("instance", word.slice(0, at))}/nics/${word.slice(at + 1)}`;
}

function readMtu(values: FlagValues): number | undefined {
  const text = flagText(values, "mtu");
  if (text === undefined) return undefined;
  if (!/^\d{1,5}$/.test(text)) throw invalidArgument("--mtu", `${quote(text)} is not a number of bytes`);
  return Number(text);
}
