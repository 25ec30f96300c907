import { describe, expect, it } from "vitest";
import { codecOf } from "../../../../../lib/kinds/codecs.js";
import { kindNamed } from "../../../../../lib/kinds/kinds.js";
import { withFields } from "../../../../../tui/cli/input/fields-of-kind.js";
import { commandsOf } from "../../../../../tui/cli/kind-commands.js";
import type { MessageJson } from "../../../../../tui/kit/input/fields.js";
import { commandWords, shellText } from "../../../../../tui/screens/form/command-text.js";
import { filledForm } from "./forms.js";

/** What the command line makes of words: options with values, and all others. */
function parse(words: readonly string[]) {
  const [rest, option, set, label]: string[][] = [[], [], [], []];
  const values: Record<string, unknown> = { option, nic: [] };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? "";
    const value = words[at + 1] ?? "";
    if (word === "--option") option?.push(value);
    else if (word === "--set") set?.push(value);
    else if (word === "--label") label?.push(value);
    else if (["--driver", "--nfs"].includes(word)) values[word.slice(2)] = value;
    else {
      rest?.push(word);
      continue;
    }
    at += 1;
  }
  return { words: rest ?? [], values, set: set ?? [], labels: label ?? [] };
}

/** The resource that `zor create` would make of the words. */
async function madeBy(kind: string, words: readonly string[]): Promise<unknown> {
  const said = parse(words);
  const own = (await commandsOf(kindNamed(kind))).create;
  const resolve = async (of: string, text: string) =>
    text.startsWith("hosts/") ? text : `hosts/${text.replace("/", `/${kindNamed(of).plural}/`)}`;
  const name = kind === "link" || kind === "expose" ? `${kind}s/one` : `hosts/alpha/${kindNamed(kind).plural}/one`;
  const onHost = async (of: string, text: string) => resolve(of, text.includes("/") ? text : `alpha/${text}`);
  const input = { name, words: said.words, values: said.values, current: async () => ({}), resolve: onHost };
  const partial = (await own?.read(input)) ?? {};
  const labels = Object.fromEntries(said.labels.map((text) => text.split("=")));
  const codec = codecOf(kind);
  return codec.toJSON(codec.fromPartial(withFields(kindNamed(kind), { ...partial, labels }, "--set", said.set)));
}

const nic = (host: string, instance: string) => `hosts/${host}/instances/${instance}/nics/eth0`;

const samples: readonly (readonly [string, MessageJson])[] = [
  ["lan", { labels: { site: "a b" }, spec: { mtu: "9000", rstp: true, flows: ["in_port=1,actions=drop"] } }],
  ["lan", { spec: { multicastSnooping: {}, rspans: [{ mirror: "m1", vlan: 300 }] } }],
  [
    "instance",
    { spec: { memoryMib: "256", nics: [{ lan: "lan1", addresses: ["10.0.0.1/24"] }], qemu: { kernel: "micro" } } },
  ],
  [
    "instance",
    { spec: { cpus: 2, crun: { rootfs: "micro", command: ["/bin/sh", "-c", "a, b"], environment: { A_B: "1" } } } },
  ],
  [
    "instance",
    { spec: { qemu: { disks: [{ image: "d.qcow2", persistent: true }], smbios: { "bios.vendor": "x=y" } } } },
  ],
  ["wire", { spec: { a: nic("alpha", "r1"), b: "hosts/alpha/taps/t1", cut: true, aToB: { delay: "0.020s" } } }],
  ["link", { spec: { a: "hosts/alpha/lans/lan1", b: nic("beta", "r2"), carrierHold: "5s" } }],
  ["a2b", { spec: { lanA: "hosts/alpha/lans/lan1", lanB: "hosts/alpha/lans/lan2" } }],
  ["tap", { spec: { lan: "lan1", device: "t1", portSettings: { access: 5 } } }],
  ["pool", { spec: { nfs: { server: "nas", export: "/e" } } }],
];

describe("the command beside a form", () => {
  it.each(samples)("makes the same %s as the form does: %j", async (kind, json) => {
    const form = filledForm(kind, json);
    const change = form.change();
    const [zor, create, word, name, ...words] = commandWords(form, change);
    expect([zor, create, word, name]).toEqual(["zor", "create", kind, kind === "link" ? "one" : "alpha/one"]);
    const made = Object(await madeBy(kind, words)) as { spec?: { lanA?: string } };
    const wanted = Object(codecOf(kind).toJSON(codecOf(kind).fromPartial(change?.resource ?? {})));
    if (kind === "a2b") expect(made.spec?.lanA).toMatch(/lan1$/);
    else expect(made).toEqual(wanted);
  });

  it("is quoted as a shell reads it", () => {
    expect(shellText(["a", "it's", "", "x=[1]", "alpha/vm1:eth0"])).toBe(`a 'it'\\''s' '' 'x=[1]' alpha/vm1:eth0`);
  });
});
