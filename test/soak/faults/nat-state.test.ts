import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it, onTestFinished } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { signalProcess } from "../../../lib/process.js";
import { NatState } from "../../../proto/gen/zor/v1/nat.js";
import { eventually } from "../../helpers/eventually.js";
import { spawnOwned } from "../../helpers/owned.js";
import { hostAddress, internetAddress, NatRig } from "../../integration/network/nat-rig.js";

let rig: NatRig;
let leaseFile: string;
let addresses: readonly string[];

beforeAll(async () => {
  rig = await NatRig.start();
  await rig.ok("create", "lan", "zt/lan1");
  await Promise.all([rig.container("web"), rig.container("pc")]);
  await rig.ok("create", "nat", "zt/n1", "--lan", "lan1", "--subnet", "10.1.0.0/24");
  addresses = await Promise.all([rig.dhcp("web"), rig.dhcp("pc")]);
  leaseFile = join(rig.agent.state, "nats", "n1", "leases");
});
afterAll(async () => {
  expect(await rig.close()).toEqual([]);
});

beforeEach(works);

/** The way out works, and both have the addresses that they had. */
async function works(): Promise<void> {
  await eventually(async () => {
    const { status } = await rig.nat("n1");
    expect(status).toMatchObject({ state: NatState.NAT_STATE_READY, reason: "" });
    expect(status?.leases.map(({ address }) => address).sort()).toEqual([...addresses].sort());
    const text = await readFile(leaseFile, "utf8");
    for (const address of addresses) expect(text).toContain(` ${address} `);
    expect(await rig.fetch("pc", internetAddress)).toBe(`${internetAddress} sees ${hostAddress}`);
  });
}

const garbage = (): Promise<void> => writeFile(leaseFile, "\0\0 nonsense\n1764 \n");

it.each([
  ["removed", () => rm(leaseFile), /^nat\.healed its file of leases was removed/],
  ["overwritten", garbage, /^nat\.healed its file of leases was overwritten/],
])("its file of leases is %s: made again as it was", async (_, act, told) => {
  const { slirp4netns } = await rig.programs();
  const before = performance.now();
  await act();
  await rig.told(told);
  await works();
  console.log(`made again within ${Math.round(performance.now() - before)} ms`);
  expect([await rig.dhcp("web"), await rig.dhcp("pc")]).toEqual(addresses);
  // Connections go on.
  expect((await rig.programs()).slirp4netns).toEqual(slirp4netns);
});

it("its file of leases is removed and dnsmasq killed, at once and while no agent is there", async () => {
  const { dnsmasq } = await rig.programs();
  if (dnsmasq === undefined) throw new Error("dnsmasq does not run");
  await rm(leaseFile);
  await signalProcess(dnsmasq, "SIGKILL");
  await works();
  await rig.agent.end("SIGKILL");
  await rm(leaseFile);
  await rig.startAgent();
  await rig.answers();
  await works();
  expect([await rig.dhcp("web"), await rig.dhcp("pc")]).toEqual(addresses);
});

/** Has the kernel forget all connections of the thread's net namespace: ctnetlink's IPCTNL_MSG_CT_DELETE. */
const flush = `
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.send(struct.pack("=IHHII", 20, 0x102, 5, 1, 0) + bytes(4))
error = struct.unpack("=i", s.recv(4096)[16:20])[0]
assert error == 0, error
`;

/** Answers each connection with what it sends. */
const echo = `
import socket, threading
s = socket.create_server(("", 9000))
print("ready", flush=True)
while True:
    c, _ = s.accept()
    def serve(c=c):
        text = b""
        while b"line 60\\n" not in text and (data := c.recv(100)):
            text += data
            c.sendall(data)
        c.close()
    threading.Thread(target=serve, daemon=True).start()
`;

it("the connections that the kernel tracks are forgotten: those that there are go on", async () => {
  const argv = ["netns", "exec", rig.internet.name, "python3", "-c", echo];
  const server = spawnOwned("ip", argv, { stdio: ["ignore", "pipe", "ignore"] });
  onTestFinished(() => void server.kill("SIGKILL"));
  await once(server.stdout, "data");
  const netns = await rig.natNetns();
  const lines = `(for n in $(seq 60); do echo "line $n"; sleep 0.1; done) | nc -w 5 ${internetAddress} 9000`;
  const answered = rig.shell("pc", lines);
  await eventually(async () =>
    expect((await run("ss", ["-tn"], { netns: rig.internet.name })).stdout).toContain(":9000"),
  );
  for (let count = 0; count < 5; count += 1) await run("python3", ["-c", flush], { netns });
  const text = await answered;
  for (let n = 1; n <= 60; n += 1) expect(text).toMatch(new RegExp(`^line ${n}$`, "m"));
  await works();
});
