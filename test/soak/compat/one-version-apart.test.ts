import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { ensureStarted, type Guest, waitForGuest } from "../../../deploy/demo/fleet.js";
import { waitForHub } from "../../../deploy/demo/hub-client.js";
import { installationRoot, nodePath } from "../../../lib/program.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { CreateLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../../helpers/eventually.js";
import { pingEvery } from "../../helpers/pings.js";
import { FaultFleet } from "../../integration/c2c-faults/fault-fleet.js";

/** The installation of the revision that test/compat/REVISION names. */
let before: string;

beforeAll(async () => {
  const script = join(installationRoot, "deploy/compat.mjs");
  before = (await run(nodePath, [script], { timeoutMs: 300_000 })).stdout.trim();
});

const guests: readonly [Guest, Guest] = [
  { name: "hosts/alpha/instances/c1", host: "alpha", id: "c1", kind: "container", address: "10.78.0.11" },
  { name: "hosts/beta/instances/c2", host: "beta", id: "c2", kind: "container", address: "10.78.0.12" },
];

/** zor of an installation as a process, with a context that leads to the fleet's hub. */
async function commandLine(fleet: FaultFleet) {
  const directory = await mkdtemp(join(tmpdir(), "zt-compat-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const config = join(directory, "config");
  const identityDirectory = join(fleet.layout.hubState, "admin");
  const context = { name: "zt", addresses: [fleet.layout.hubMain], serverName: hubServerName, identityDirectory };
  await saveContext(config, context, true);
  return async (root: string, ...argv: readonly string[]): Promise<string> => {
    const env = { ZOR_CONFIG: config };
    return (await run(nodePath, [join(root, "dist/cli.cjs"), ...argv], { env, timeoutMs: 90_000 })).stdout;
  };
}

describe.each([
  { what: "a hub of this version, an agent of the one before and one of this", old: ["alpha"] },
  { what: "a hub of the version before, an agent of this version and one of that before", old: ["hub", "beta"] },
])("$what", ({ old }) => {
  test("join, list, watch, make lans and instances, link hosts, run commands and capture", async () => {
    const installations = Object.fromEntries(old.map((id) => [id, before]));
    // Brings hosts in and links their lans: both agents have joined, and frames have crossed both ways.
    const fleet = await FaultFleet.make({ installations });
    onTestFinished(() => fleet[Symbol.asyncDispose]());
    const { signal } = new AbortController();
    const hub = await waitForHub(fleet.layout, 30_000, signal);
    onTestFinished(() => hub.close());
    const [from, to] = fleet.stations;
    expect((await pingEvery(20, { netns: from.netns, address: to.ip, count: 50 })).size).toBe(50);

    const context = { hub, layout: fleet.layout, signal };
    for (const guest of guests) await ensureStarted(context, guest);
    for (const guest of guests) await waitForGuest(context, guest);
    for (const parent of ["hosts/alpha", "hosts/beta"])
      await hub.unary(LanServiceService.createLan, CreateLanRequest.fromPartial({ parent, lanId: "lan2" }));

    const seen = new Set<string>();
    const stop = new AbortController();
    const watched = (async () => {
      const request = WatchRequest.fromPartial({ kinds: ["host", "lan", "instance", "link"] });
      for await (const { step } of hub.stream(WatchServiceService.watch, request, { signal: stop.signal }))
        if (step?.$case === "upsert") seen.add(step.value.typeUrl.split(".").at(-1) ?? "");
    })().catch(() => undefined);
    await eventually(() => expect([...seen].sort()).toEqual(["Host", "Instance", "Lan", "Link"]));
    stop.abort();
    await watched;

    const zor = await commandLine(fleet);
    for (const root of [installationRoot, before]) {
      expect(await zor(root, "version")).toMatch(/^zor .*\nhub .*\nagent .*alpha\nagent .*beta\n$/);
      expect(await zor(root, "get", "hosts", "-o", "wide")).toMatch(/alpha.*ready[\s\S]*beta.*ready/i);
      expect(await zor(root, "get", "lans", "-o", "name")).toContain("hosts/beta/lans/lan2");
      expect(await zor(root, "exec", "alpha/c1", "--", "ping", "-c", "2", "-W", "10", guests[1].address)).toContain(
        "2 packets received",
      );
    }
    for (const [index, target] of ["alpha/c1:eth0", "beta/c2:eth0"].entries()) {
      const file = join(fleet.layout.directory, `seen-${index}.pcapng`);
      const capture = zor(installationRoot, "capture", target, "-f", "icmp", "-c", "4", "-w", file);
      let isOver = false;
      const ended = capture.finally(() => {
        isOver = true;
      });
      while (!isOver) await zor(before, "exec", "alpha/c1", "--", "ping", "-c", "1", "-W", "10", guests[1].address);
      await ended;
    }
  });
});
