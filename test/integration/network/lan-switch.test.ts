import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AskedTool } from "../../../agent/network/ovs/tools/judge.js";
import { createSwitchTools, type SwitchTools } from "../../../agent/network/ovs/tools/tools.js";
import { toBridgeName } from "../../../agent/network/names.js";
import { NetworkFixture } from "./fixture.js";

let net: NetworkFixture;
let tools: SwitchTools;
const uid = randomUUID();

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid, mtu: 1500, rstp: false });
  tools = createSwitchTools({ switch: net.sw, directory: net.sw.directory });
});
afterAll(() => net?.destroy());

const { signal } = new AbortController();

function run(line: string) {
  const [tool = "", ...words] = line.split(" ");
  return tools.run(tools.judge({ tool: tool as AskedTool["tool"], words }), signal);
}

describe("the tools of the switch, at the real one", () => {
  it("say what it has, and end with their own exit codes", async () => {
    const bridge = toBridgeName(uid);
    expect(await run("ovs-vsctl br-to-parent lan/lan1")).toEqual({
      exitCode: 0,
      output: `${bridge}\n`,
      errorOutput: "",
      truncated: false,
    });
    expect(await run("ovs-vsctl br-exists nothing")).toMatchObject({ exitCode: 2, output: "" });
    expect((await run("ovs-appctl fdb/show lan/lan1")).output).toContain("port  VLAN  MAC");
    expect((await run("ovs-ofctl dump-flows lan/lan1")).output).toContain("actions=NORMAL");
    expect((await run("ovs-appctl --target=ovsdb-server version")).output).toContain("ovsdb-server");
  });

  it("change it, and only it", async () => {
    expect(await run("ovs-ofctl add-flow lan/lan1 table=3,actions=drop")).toMatchObject({ exitCode: 0 });
    expect((await run("ovs-ofctl dump-flows lan/lan1 table=3")).output).toContain("actions=drop");
    const told = await run("ovs-ofctl add-flow lan/lan1 nonsense");
    expect(told.exitCode).toBe(1);
    expect(told.errorOutput).toBe("ovs-ofctl: must specify an action\n");
    expect(told.errorOutput).not.toContain(net.stateDirectory);
    // vswitchd itself takes no controller at a socket that is not below its own directory; the tool is not even started.
    expect(() => tools.judge({ tool: "ovs-vsctl", words: ["set-controller", "lan/lan1", "unix:/x"] })).toThrow(
      expect.objectContaining({ code: status.PERMISSION_DENIED }),
    );
  });

  it("are as many at once as the host bears, and end with their caller", async () => {
    const waits = () => run("ovs-appctl ofproto/list");
    const ends = await Promise.allSettled(Array.from({ length: 6 }, waits));
    expect(ends.filter(({ status: end }) => end === "fulfilled")).toHaveLength(4);
    for (const end of ends) {
      if (end.status === "rejected") expect(end.reason).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    }
  });
});
