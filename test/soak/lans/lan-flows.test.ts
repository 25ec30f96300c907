import { status } from "@grpc/grpc-js";
import { expect, it, onTestFinished } from "vitest";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { LanServiceService as service } from "../../../proto/gen/zor/v1/lan_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { eventually } from "../../helpers/eventually.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";

const own = "priority=10,icmp,actions=drop";
const waits = "in_port=vm1/eth0,actions=drop";
const common = { requestId: "", validateOnly: false };

it("flows of a lan are checked, kept over the death of the agent, and shown to viewers", {
  timeout: 180_000,
}, async () => {
  const agent = await AgentProcess.create();
  onTestFinished(() => agent.destroy({ instances: false }));
  await agent.start();
  const parent = `hosts/${agent.host}`;
  const name = `${parent}/lans/lan1`;
  let connection = await agent.connect();
  const create = (flows: readonly string[]) =>
    connection.unary(service.createLan, {
      ...{ parent, lanId: "lan1", ...common },
      lan: Lan.fromPartial({ spec: { flows: [...flows] } }),
    });
  const update = (flows: readonly string[], validateOnly = false) =>
    connection.unary(service.updateLan, {
      ...{ ...common, validateOnly, updateMask: ["spec.flows"] },
      lan: Lan.fromPartial({ name, spec: { flows: [...flows] } }),
    });
  const shown = async () =>
    (await connection.unary(service.getLanFlows, { name })).flows
      .filter(({ spec }) => spec !== "")
      .map(({ spec, waiting }) => [spec, waiting]);

  await expect(create(["table=0,actions=drop"])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  await expect(create(["nonsense=1,actions=drop"])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  await create([own, waits]);
  expect(await shown()).toEqual([
    [own, false],
    [waits, true],
  ]);
  await expect(update([own, "nonsense=1,actions=drop"], true)).rejects.toThrow("nonsense");
  await expect(update([own, "icmp,priority=10,actions=normal"])).rejects.toThrow("matches the same");
  expect((await connection.unary(service.getLan, { name })).lan?.spec?.flows).toEqual([own, waits]);

  connection.close();
  await agent.end("SIGKILL");
  await agent.start();
  connection = await agent.connect(Role.ROLE_VIEWER);
  await eventually(async () => expect(await shown()).toHaveLength(2));
  expect((await connection.unary(service.getLanMacs, { name })).macs).toEqual([]);
  await expect(update([])).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  connection.close();

  connection = await agent.connect();
  await update([]);
  const left = (await connection.unary(service.getLanFlows, { name })).flows;
  expect(left.map(({ table, actions }) => [table, actions])).toEqual([[0, "NORMAL"]]);
  connection.close();
});
