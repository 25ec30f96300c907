import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { findProcesses } from "../../../lib/process.js";
import { type Datagram, receiveDatagrams } from "../../helpers/datagrams.js";
import { eventually } from "../../helpers/eventually.js";
import { killed } from "../../helpers/killed.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { hostAddress, internetAddress, NatRig } from "../../integration/network/nat-rig.js";

const [pc, web] = ["10.83.0.1", "10.83.0.2"] as const;
const ports = { netflow: 2055, sflow: 6343, ipfix: 4739 } as const;

let rig: NatRig;
let inside = "";

beforeAll(async () => {
  rig = await NatRig.start(`collectors: [{remotes: [${internetAddress}]}]\n`);
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
  expect(await rig.close()).toEqual([]);
});

/** From the container's net namespace: no agent is needed. */
const ping = () => pingAtOnce({ netns: inside, address: web, count: 3 });

/** What Wireshark's dissector says of datagrams, a line for each with these fields. */
async function dissect(datagrams: readonly Datagram[], protocol: string, fields: readonly string[]): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "zt-flows-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const [text, pcap] = [join(directory, "text"), join(directory, "pcap")];
  const lines = datagrams.map(({ data }) => `0000 ${data.toString("hex").replace(/../g, "$& ")}\n`);
  await writeFile(text, lines.join("\n"));
  await run("text2pcap", ["-q", "-u", "1000,2055", text, pcap]);
  const names = fields.flatMap((name) => ["-e", name]);
  const { stdout } = await run("tshark", ["-r", pcap, "-d", `udp.port==2055,${protocol}`, "-T", "fields", ...names]);
  return stdout.trim().split("\n");
}

const of = (came: readonly Datagram[], port: number) => came.filter((each) => each.port === port);

it("NetFlow, sFlow and IPFIX of a ping arrive, from the host, over the death of agent and relay", {
  timeout: 300_000,
}, async () => {
  const came = await receiveDatagrams(rig.internet.name, internetAddress, Object.values(ports));
  await rig.ok(
    ...["set", "lan", "zt/lan1", "--observation-domain", "258"],
    ...["--netflow", `to=${internetAddress}:${ports.netflow},active=1`],
    ...["--sflow", `to=${internetAddress}:${ports.sflow},sampling=1,polling=1,header=64`],
    ...["--ipfix", `to=${internetAddress}:${ports.ipfix},sampling=1`],
  );
  const arrives = async (): Promise<void> => {
    const [begin, pair] = [came.length, [pc, web]];
    const news = (port: number) => of(came.slice(begin), port);
    await eventually(async () => {
      await ping();
      const flows = await dissect(news(ports.netflow), "cflow", ["cflow.srcaddr", "cflow.dstaddr", "cflow.protocol"]);
      expect(flows.join(",")).toContain(pair[0]);
      expect(flows.join(",")).toContain(pair[1]);
    }, 90_000);
    await eventually(async () => {
      await ping();
      const samples = await dissect(news(ports.sflow), "sflow", [
        "sflow_245.agent",
        "sflow_245.sub_agent_id",
        "ip.src",
      ]);
      expect(samples.join(";")).toMatch(
        new RegExp(`${hostAddress.replaceAll(".", "\\.")}\\t258\\t[^;]*10\\.83\\.0\\.`),
      );
    });
    await eventually(async () => {
      await ping();
      // Templates come first, once.
      const told = await dissect(of(came, ports.ipfix), "cflow", ["cflow.od_id", "cflow.srcaddr"]);
      expect(told.at(-1)).toMatch(/^258\t.*10\.83\.0\./);
      expect(news(ports.ipfix).length).toBeGreaterThan(0);
    });
  };
  await arrives();
  const [netflow] = of(came, ports.netflow);
  // Version 5; type and id of the engine say which lan.
  expect([netflow?.data.readUInt16BE(0), netflow?.data.readUInt16BE(20)]).toEqual([5, 258]);
  await eventually(async () =>
    expect(await rig.ok("describe", "lan", "zt/lan1")).toMatch(
      /sflow 203\.0\.113\.9:6343 +sent [1-9]\d* datagrams .*, failed 0\n/,
    ),
  );

  await killed(rig.agent.pid);
  await arrives();
  await rig.startAgent();
  await rig.answers();
  const find = async () =>
    (
      await findProcesses(
        (argv) =>
          argv.some((each) => each.endsWith("lan-relay.js")) && argv.some((each) => each.includes(rig.agent.state)),
      )
    )[0];
  await killed((await find())?.pid ?? 0);
  await rig.told(/^lan\.outlets-healed /);
  await arrives();

  await rig.ok("set", "lan", "zt/lan1", "--no-netflow", "--no-sflow", "--no-ipfix");
  await eventually(async () => expect(await find()).toBeUndefined());
  expect(await rig.ok("describe", "lan", "zt/lan1")).not.toContain("Collectors");
});

it("a collector that is not there, and one that the settings do not allow, are told", {
  timeout: 120_000,
}, async () => {
  await rig.ok("set", "lan", "zt/lan1", "--sflow", `to=${internetAddress}:9995,sampling=1,polling=1`);
  await eventually(async () => {
    await ping();
    const text = await rig.ok("describe", "lan", "zt/lan1");
    expect(text).toMatch(/sflow 203\.0\.113\.9:9995 +sent .*, failed [1-9]\d*: .*ECONNREFUSED/);
  });
  for (const [flags, why] of [
    [["--sflow", "to=203.0.113.7:6343"], "lets no lan tell 203.0.113.7:6343"],
    [["--netflow", `to=${internetAddress}:53`], "lets no lan tell 203.0.113.9:53"],
    [["--ipfix", "to=collector.lab:4739"], "lan.spec.flow_export.ipfix.collectors[0]"],
    [["--sflow", `to=${internetAddress}:6343,header=8`], "lan.spec.flow_export.sflow.header_bytes"],
    [["--controller", "tcp:203.0.113.9:6653"], "lets no lan be given to tcp:203.0.113.9:6653"],
  ] as const) {
    const { code, stderr } = await rig.zor("set", "lan", "zt/lan1", ...flags);
    expect([code === 0, stderr]).toEqual([false, expect.stringContaining(why)]);
  }
  await rig.ok("set", "lan", "zt/lan1", "--no-sflow");
});
