import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { startController } from "../../helpers/openflow-controller.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { internetAddress, NatRig } from "../../integration/network/nat-rig.js";

const [pc, web] = ["10.84.0.1", "10.84.0.2"] as const;
const [plainPort, tlsPort] = [6653, 6654] as const;
const plain = `tcp:${internetAddress}:${plainPort}`;

let rig: NatRig;
let files: string;
let inside = "";

/** A certificate that vouches for itself. */
async function makeKeys(): Promise<{ readonly ca: string; readonly certificate: string; readonly key: string }> {
  const [key, certificate] = [join(files, "key.pem"), join(files, "cert.pem")];
  const out = ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=controller"];
  await run("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", ...out]);
  return { ca: certificate, certificate, key };
}

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), "zt-keys-"));
  const keys = JSON.stringify(await makeKeys());
  const entries = [
    `{remotes: [${internetAddress}]}`,
    `{remotes: [${internetAddress}], ports: [${tlsPort}], keys: ${keys}}`,
    `{socket: ${join(files, "ctl.sock")}}`,
  ];
  rig = await NatRig.start(`controllers: [${entries.join(", ")}]\n`);
  await rig.ok("create", "lan", "zt/lan1");
  for (const [id, address] of [
    ["pc", pc],
    ["web", web],
  ] as const) {
    await rig.container(id);
    await rig.shell(id, `ip addr add ${address}/24 dev eth0`);
  }
  for (const name of await readdir("/run/netns")) {
    if (!name.startsWith(`${rig.agent.netns}.`)) continue;
    if ((await run("ip", ["-n", name, "address"])).stdout.includes(`${pc}/`)) inside = name;
  }
}, 300_000);
afterAll(async () => {
  await rm(files, { recursive: true, force: true });
  expect(await rig.close()).toEqual([]);
});

const answers = async (): Promise<boolean> => (await pingAtOnce({ netns: inside, address: web, count: 2 })).size === 2;
const eventuallyAnswers = (expected: boolean) => eventually(async () => expect(await answers()).toBe(expected));
const eventuallyTold = (pattern: RegExp) =>
  eventually(async () => expect(await rig.ok("describe", "lan", "zt/lan1")).toMatch(pattern));

it("a controller decides while it is there, also without the agent; the fail mode says what else", {
  timeout: 400_000,
}, async () => {
  await eventuallyAnswers(true);
  await rig.ok("set", "lan", "zt/lan1", "--controller", plain, "--fail-mode", "secure", "--controller-probe", "1");
  await eventuallyAnswers(false);
  await eventuallyTold(/tcp:203\.0\.113\.9:6653 +not connected.*: connect ECONNREFUSED/);
  expect(await rig.ok("get", "lans", "-o", "wide")).toMatch(/zt\/lan1 +UP .* away /);

  const at = { netns: rig.internet.name, address: internetAddress, port: plainPort };
  const first = await startController({ ...at, does: "normal" });
  await eventuallyAnswers(true);
  await eventuallyTold(/tcp:203\.0\.113\.9:6653 +connected for /);
  await rig.told(/^lan\.controller-connected /);
  const flows = await rig.ok("lan", "flows", "zt/lan1");
  expect(flows.trim().split("\n")).toHaveLength(2);
  const before = first.connections();
  await killed(rig.agent.pid);
  await eventuallyAnswers(true);
  await rig.startAgent();
  await rig.answers();
  await eventuallyTold(/tcp:203\.0\.113\.9:6653 +connected for /);
  expect(first.connections()).toBe(before);

  await first.end();
  await rig.told(/^lan\.controller-lost /);
  expect(await answers()).toBe(true);
  const second = await startController({ ...at, does: "drop" });
  await eventuallyAnswers(false);
  await second.end();
  await eventuallyTold(/tcp:203\.0\.113\.9:6653 +not connected/);
  expect(await answers()).toBe(false);
  await rig.ok("set", "lan", "zt/lan1", "--fail-mode", "standalone");
  await eventuallyAnswers(true);

  await rig.ok("set", "lan", "zt/lan1", "--no-controller");
  await eventuallyAnswers(true);
  await eventuallyTold(/state +.*up\n/i);
  expect(await rig.ok("lan", "flows", "zt/lan1")).toContain("actions=NORMAL");
});

it("controllers are reached by TLS and at sockets; what does not go with one is refused", {
  timeout: 300_000,
}, async () => {
  const netns = rig.internet.name;
  const path = join(files, "ctl.sock");
  const tls = { ca: join(files, "cert.pem"), certificate: join(files, "cert.pem"), key: join(files, "key.pem") };
  await startController({ netns, address: internetAddress, port: tlsPort, does: "normal", tls });
  await startController({ netns, address: path, does: "normal" });
  const secure = ["--fail-mode", "secure", "--controller-probe", "1"];
  await rig.ok("set", "lan", "zt/lan1", "--controller", `ssl:${internetAddress}:${tlsPort}`, ...secure);
  await eventuallyTold(/ssl:203\.0\.113\.9:6654 +connected/);
  await eventuallyAnswers(true);
  await rig.ok("set", "lan", "zt/lan1", "--controller", `unix:${path}`);
  await eventuallyTold(/unix:\S+ +connected/);
  await eventuallyAnswers(true);

  for (const [argv, why] of [
    [["lan", "zt/lan1", "--flow", "icmp,actions=drop"], "lan.spec.flows"],
    [["lan", "zt/lan1", "--controller", `tcp:${internetAddress}:${tlsPort}`], "the agent's setting controllers"],
    [["lan", "zt/lan1", "--controller", "tcp:ctl.lab:6653"], "lan.spec.controller.targets[0]"],
    [["instance", "zt/pc", "--filter-rule", "in default drop"], "where a controller decides about frames"],
  ] as const) {
    const { code, stderr } = await rig.zor("set", ...argv);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(why)]);
  }
  await rig.ok("set", "lan", "zt/lan1", "--no-controller");
  await rig.ok("set", "instance", "zt/pc", "--filter-rule", "out default drop", "--filter-rule", "out allow icmp");
  const { code, stderr } = await rig.zor("set", "lan", "zt/lan1", "--controller", plain);
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining("where a controller decides about frames")]);
  await eventuallyAnswers(true);
});
