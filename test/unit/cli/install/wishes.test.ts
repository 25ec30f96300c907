import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkWishes, parseWish, readHosts } from "../../../../tui/cli/install/wishes.js";

const common = { dialOut: undefined, labels: {} };

async function fileOf(text: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "zor-hosts-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, "hosts.yaml"), text);
  return join(directory, "hosts.yaml");
}

test.each([
  ["ops@rack7.lab.example:2222", { id: "rack7", ssh: { user: "ops", host: "rack7.lab.example", port: 2222 } }],
  ["h1=ops@Rack7", { id: "h1", ssh: { user: "ops", host: "Rack7" } }],
  ["root@10.0.0.11", { id: "10-0-0-11", ssh: { user: "root", host: "10.0.0.11" } }],
  ["root@[fd00::7]:22", { id: "fd00-7", ssh: { user: "root", host: "fd00::7", port: 22 } }],
])("%s on the command line", (text, expected) => {
  expect(parseWish(text, common)).toMatchObject(expected);
});

test.each(["-oProxyCommand=id@h", "=h", "h1=", "h 1=ops@rack7", "a/b=ops@rack7"])("%j is refused", (text) => {
  expect(() => parseWish(text, common)).toThrow(/^host: /);
});

test("a file of hosts, with what holds for all", async () => {
  const file = await fileOf(`
defaults: { dialOut: true, labels: { site: paris } }
hosts:
  - ssh: ops@rack7.lab
    listen: 10.0.0.7:7443
    underlay: [10.1.0.7]
    dialOut: false
  - { ssh: root@10.0.0.8, id: h8, labels: { site: rome, row: "2" } }
`);
  expect(await readHosts(file)).toEqual([
    {
      ...{ id: "rack7", ssh: { user: "ops", host: "rack7.lab" }, listen: "10.0.0.7:7443", underlay: ["10.1.0.7"] },
      ...{ dialOut: false, labels: { site: "paris" } },
    },
    {
      ...{ id: "h8", ssh: { user: "root", host: "10.0.0.8" }, listen: undefined, underlay: undefined },
      ...{ dialOut: true, labels: { site: "rome", row: "2" } },
    },
  ]);
});

test("every fault of a file is told with its place", async () => {
  const file = await fileOf("hosts:\n  - ssh: -oX\n  - { ssh: a@b, listen: nowhere }\n  - { ssh: a@c, prot: 1 }\n");
  const error: unknown = await readHosts(file).catch((reason: unknown) => reason);
  const lines = String(error).split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/hosts\.yaml:2:\d+ hosts\.0\.ssh: /);
  expect(lines[1]).toMatch(/hosts\.yaml:3:\d+ hosts\.1\.listen: expected "ip:port"/);
  expect(lines[2]).toMatch(/hosts\.yaml:4:\d+ hosts\.2\.prot: unknown setting/);
});

test("two hosts of one name, and one server twice, are refused", () => {
  const wish = (text: string) => parseWish(text, common);
  expect(() => checkWishes([wish("ops@rack7.a"), wish("ops@rack7.b")])).toThrow(
    'host "rack7" is named twice; give hosts of the same name ids',
  );
  expect(() => checkWishes([wish("a=ops@rack7"), wish("b=ops@RACK7")])).toThrow(
    'ssh server "ops@rack7" is named twice',
  );
  expect(() => checkWishes([wish("a=ops@rack7"), wish("b=ops@rack8")])).not.toThrow();
});
