import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  Link,
  LinkCause,
  LinkEncryption,
  LinkPath,
  LinkRole,
  LinkState,
  LinkTransport,
  LoopPolicy,
} from "../../../proto/gen/zor/v1/link.js";
import { type DiagnosedHop, HopVerdict } from "../../../proto/gen/zor/v1/link_service.js";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
beforeEach(async () => {
  fleet = await CliFleet.create();
});
afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
});

const spec = { a: "hosts/alpha/lans/lan1", b: "hosts/beta/lans/lan1" };
const active = LinkState.LINK_STATE_ACTIVE;

function demo(changes: Parameters<typeof Link.fromPartial>[0] = {}) {
  const end = {
    state: active,
    txFrames: 12n,
    txBytes: 2048n,
    txBps: 8000n,
    droppedQueueFrames: 3n,
    droppedPortFrames: 4n,
  };
  const value = Link.fromPartial({
    name: "links/demo",
    uid: "u-1",
    spec,
    status: {
      ...{ state: active, path: LinkPath.LINK_PATH_RELAYED, protection: "TLSv1.3 TLS_AES_128_GCM_SHA256" },
      ...{ rtt: { seconds: 0n, nanos: 420_000 }, rttP99: { seconds: 0n, nanos: 2_000_000 }, lossRatio: 0.01 },
      ...{
        aToBBps: 4_000_000n,
        bToABps: 64_000n,
        relayedBytes: 5_242_880n,
        sinceTime: new Date(Date.now() - 3_600_000),
      },
      endA: {
        ...end,
        role: LinkRole.LINK_ROLE_LISTENER,
        localAddress: "10.0.0.1:7444",
        remoteAddress: "10.0.0.9:7445",
      },
      endB: { ...end, role: LinkRole.LINK_ROLE_DIALER },
    },
    // The parts given are whole; everything else stays.
    ...(changes as object),
  });
  fleet.hub.put({ kind: "link", value });
}

const said = (method: string) => fleet.hub.requests.find((each) => each.method === method)?.request;

describe("zor create link", () => {
  it.each<[string[], Record<string, unknown>]>([
    [[], { transport: LinkTransport.LINK_TRANSPORT_TCP, encryption: 0, loop: LoopPolicy.LOOP_POLICY_REFUSE }],
    [["--transport", "vxlan"], { transport: LinkTransport.LINK_TRANSPORT_VXLAN, encryption: 0 }],
    [["--encryption", "none"], { encryption: LinkEncryption.LINK_ENCRYPTION_NONE }],
    [["--loop", "rstp"], { loop: LoopPolicy.LOOP_POLICY_RSTP }],
    [
      ["--loss", "1%", "--ab-delay", "40ms", "--seed", "7"],
      {
        aToB: { lossRatio: 0.01, delay: { nanos: 40_000_000 } },
        bToA: { lossRatio: 0.01, delay: undefined },
        seed: 7n,
      },
    ],
    [["--at", "30s for 10s every 1m ab: loss 20%"], { schedule: [{ impairment: { lossRatio: 0.2 } }] }],
  ])("with %j asks for that", async (flags, expected) => {
    const { code } = await fleet.zor(["create", "link", "l1", "alpha/lan1", "beta/lan1", ...flags]);
    expect(code).toBe(0);
    expect(said("createLink")).toMatchObject({ link: { spec: { ...spec, ...expected } } });
  });

  it.each([
    [["--transport", "udp"], /tcp, vxlan/],
    [["--encryption", "rot13"], /tls, none/],
    [["--loop", "yes"], /refuse, rstp/],
    [["--loss", "101%"], /loss/],
  ])("with %j is refused before anything is asked", async (flags, says) => {
    const { code, stderr } = await fleet.zor(["create", "link", "l1", "alpha/lan1", "beta/lan1", ...flags]);
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
    expect(fleet.hub.requests).toEqual([]);
  });
});

describe("zor set link", () => {
  it("changes what is said and keeps the rest", async () => {
    demo({ labels: { site: "east", old: "x" }, spec: { ...spec, aToB: { lossRatio: 0.5 }, seed: 3n } });
    const { code, stdout } = await fleet.zor([
      ...["set", "link", "demo", "--ba-delay", "5ms", "--label", "old=", "--label", "new=y"],
    ]);
    expect(code).toBe(0);
    expect(said("updateLink")).toMatchObject({
      link: { name: "links/demo", status: undefined },
      updateMask: ["spec.b_to_a.delay", "labels.old", "labels.new"],
    });
    expect(fleet.hub.log.find("link", "links/demo")).toMatchObject({
      labels: { site: "east", new: "y" },
      spec: { ...spec, aToB: { lossRatio: 0.5 }, bToA: { delay: { nanos: 5_000_000 } }, seed: 3n },
    });
    expect(stdout).toMatch(/link demo: a>b 50%.*b>a 5ms/);
  });

  it("takes everything back with --clear", async () => {
    demo({ spec: { ...spec, aToB: { lossRatio: 0.5 }, bToA: { down: true } } });
    expect((await fleet.zor(["set", "link", "demo", "--clear"])).code).toBe(0);
    expect(said("updateLink")).toMatchObject({ updateMask: ["spec.a_to_b", "spec.b_to_a", "spec.schedule"] });
    const { spec: after } = fleet.hub.log.find("link", "links/demo") ?? {};
    expect(after).toMatchObject({ ...spec, aToB: undefined, bToA: undefined });
  });
});

describe("zor link show", () => {
  it("tells everything of the link and of both ends", async () => {
    demo({ labels: { site: "east" } });
    const { code, stdout } = await fleet.zor(["link", "show", "demo"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^link demo: alpha\/lan1 <-> beta\/lan1\n/);
    for (const line of [
      /state +ACTIVE for 1h00m/,
      /path +relayed/,
      /protection +TLSv1\.3/,
      /round trip +0\.42ms, p99 2\.00ms/,
      /throughput +a>b 4\.0Mb\/s, b>a 64kb\/s/,
      /relayed +5M through the hub/,
      /labels +site=east/,
      /end a on alpha\/lan1\n +role +listens/,
      /connection +10\.0\.0\.1:7444 -> 10\.0\.0\.9:7445/,
      /dropped +3 queue full, 0 while down, 4 by the lan's port/,
      /end b on beta\/lan1\n +role +dials/,
    ]) {
      expect(stdout).toMatch(line);
    }
  });

  it("says in capitals that a link is in clear, here and in every list", async () => {
    demo({
      spec: { ...spec, transport: LinkTransport.LINK_TRANSPORT_VXLAN },
      status: { state: active, path: 1, protection: "none" },
    });
    expect((await fleet.zor(["link", "show", "demo"])).stdout).toMatch(/protection +UNENCRYPTED/);
    expect((await fleet.zor(["get", "links"])).stdout).toMatch(/direct +UNENCRYPTED/);
  });

  it("tells the cause and the reason of a link that is down, escaped", async () => {
    const reason = "refused\u001b[31m by 10.0.0.2:7444";
    demo({ status: { state: LinkState.LINK_STATE_DOWN, cause: LinkCause.LINK_CAUSE_REFUSED, reason } });
    const { stdout } = await fleet.zor(["link", "show", "demo"]);
    expect(stdout).toMatch(/state +DOWN \(refused\)/);
    expect(stdout).not.toContain("\u001b[31m");
  });

  it("prints the API's response with -o json, and fails with 3 where there is none", async () => {
    demo();
    const json = JSON.parse((await fleet.zor(["link", "show", "demo", "-o", "json"])).stdout);
    expect(json.link).toMatchObject({ name: "links/demo", status: { rttP99: "0.002s", relayedBytes: "5242880" } });
    expect((await fleet.zor(["link", "show", "nope"])).code).toBe(3);
  });
});

describe("zor link watch", () => {
  it("prints a line now and at every change of state, and ends when the link is deleted", async () => {
    demo();
    const run = fleet.run(["link", "watch", "demo"]);
    await run.stdout.sees(/ACTIVE +relayed +rtt 0\.42ms, p99 2\.00ms +loss 1.0%.* +a>b 4\.0Mb\/s, b>a 64kb\/s/);
    demo({ status: { state: LinkState.LINK_STATE_DOWN, reason: "hosts/beta: refused" } });
    await run.stdout.sees(/DOWN.* hosts\/beta: refused/);
    fleet.hub.log.remove("link", "links/demo");
    const { code, stderr } = await run.result;
    expect(code).toBe(3);
    expect(stderr).toMatch(/links\/demo does not exist; it was deleted/);
  });

  it("goes on with a line a second while nothing changes", async () => {
    demo();
    const run = fleet.run(["link", "watch", "demo"]);
    await run.stdout.sees(/(ACTIVE[^\n]*\n[^\n]*){3}/);
    run.interrupt();
    expect((await run.result).code).toBe(130);
  });

  it("prints one link as JSON a line with -o json, and ends with 130 on Ctrl-C", async () => {
    demo();
    const run = fleet.run(["link", "watch", "demo", "-o", "json"]);
    await run.stdout.sees("links/demo");
    run.interrupt();
    const { code, stdout } = await run.result;
    expect(code).toBe(130);
    expect(JSON.parse(stdout.split("\n")[0] ?? "")).toMatchObject({
      name: "links/demo",
      status: { state: "LINK_STATE_ACTIVE" },
    });
  });
});

describe("zor doctor link", () => {
  const hop = (name: string, verdict: HopVerdict, remedy = ""): { $case: "hop"; value: DiagnosedHop } => ({
    $case: "hop",
    value: { host: name === "relay" ? "" : "hosts/alpha", hop: name, verdict, detail: `${name} seen`, remedy },
  });
  const { HOP_VERDICT_OK: ok, HOP_VERDICT_BROKEN: broken } = HopVerdict;

  it("prints hop after hop and the conclusion, and ends with 0 when the link works", async () => {
    demo();
    const value = { healthy: true, summary: "all hops work", remedy: "" };
    fleet.hub.diagnosis = [hop("agent", ok), hop("relay", ok), { $case: "diagnosis", value }];
    const { code, stdout } = await fleet.zor(["doctor", "link", "demo"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^ok +alpha +agent +agent seen\nok +hub +relay +relay seen\n\nlink demo works: all hops work\n$/,
    );
  });

  it("says what is broken and what to do, and ends with 1", async () => {
    demo();
    const value = { healthy: false, summary: "tap on hosts/alpha is broken: tap seen", remedy: "mend it" };
    fleet.hub.diagnosis = [hop("tap", broken, "mend it"), { $case: "diagnosis", value }];
    const { code, stdout } = await fleet.zor(["doctor", "link", "demo"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/BROKEN +alpha +tap/);
    expect(stdout).toMatch(/link demo does not work: tap on hosts\/alpha is broken: tap seen\nwhat to do: mend it\n$/);
    const json = JSON.parse((await fleet.zor(["doctor", "link", "demo", "-o", "json"])).stdout);
    expect(json).toMatchObject({
      hops: [{ host: "hosts/alpha", hop: "tap", verdict: "HOP_VERDICT_BROKEN", remedy: "mend it" }],
      diagnosis: { summary: value.summary, remedy: "mend it" },
    });
  });

  it("fails where there is no such link, and where the hub gives no conclusion", async () => {
    expect((await fleet.zor(["doctor", "link", "nope"])).code).toBe(3);
    demo();
    fleet.hub.diagnosis = [hop("agent", ok)];
    const { code, stderr } = await fleet.zor(["doctor", "link", "demo"]);
    expect(code).toBe(6);
    expect(stderr).toMatch(/ended without a conclusion/);
  });
});
