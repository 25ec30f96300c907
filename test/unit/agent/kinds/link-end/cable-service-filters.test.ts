import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { EndSpec } from "../../../../../proto/gen/zor/agent/v1/cable_service.js";
import { LinkRole } from "../../../../../proto/gen/zor/v1/link.js";
import { context, service } from "./cable-service-rig.js";

const cable = {
  ...{ link: "links/demo", linkUid: "u1", lan: "lan1", role: LinkRole.LINK_ROLE_DIALER },
  ...{ peerAddresses: ["10.0.0.2:5151"], peerKeySha256: Buffer.alloc(32, 1) },
};
const program = Buffer.from([6, 0, 0, 0, 1, 0, 0, 0]);

test("an end gets the programs of its filters, compiled by its agent, whatever the hub sends", async () => {
  const { handlers, asked } = service();
  const foreign = [{ filter: "icmp", program: Buffer.alloc(8) }];
  const end = EndSpec.fromPartial({ ...cable, impairment: { dropFilter: "icmp" }, dropPrograms: foreign });
  await handlers.ensureEnd({ end }, context);
  expect(asked.at(-1)?.dropPrograms).toEqual([{ filter: "icmp", program }]);
});

test("an end whose filter does not compile is refused, and nothing is asked for or removed", async () => {
  const { handlers, asked, deleted } = service();
  const end = EndSpec.fromPartial({ ...cable, impairment: { dropFilter: "nonsense" } });
  await expect(handlers.ensureEnd({ end }, context)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  expect([asked, deleted]).toEqual([[], []]);
});

test("filters are looked at before a hub keeps them, and the field is named as it asked", async () => {
  const { handlers } = service();
  const good = { field: "link.spec.a_to_b.drop_filter", filter: "icmp" };
  expect(await handlers.checkDropFilters({ filters: [good] }, context)).toEqual({});
  const bad = { field: "link.spec.b_to_a.drop_filter", filter: "icmp and and" };
  await expect(handlers.checkDropFilters({ filters: [good, bad] }, context)).rejects.toMatchObject({
    violations: [{ field: bad.field, description: "syntax error" }],
  });
  const many = Array.from({ length: 131 }, () => good);
  await expect(handlers.checkDropFilters({ filters: many }, context)).rejects.toThrow(/at most 130/);
});
