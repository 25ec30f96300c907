import { expect, test } from "vitest";
import type { Calls } from "../../../lib/grpc/connection.js";
import { loadIdentity } from "../../../lib/tls/identity.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { InstanceServiceService, ListInstancesRequest } from "../../../proto/gen/zor/v1/instance_service.js";
import { HubFixture } from "./fixture.js";

const count = 2000;

async function listAll(connection: Calls, change: { readonly filter?: string; readonly orderBy?: string }) {
  const names: string[] = [];
  for (let pageToken = ""; ; ) {
    const request = ListInstancesRequest.fromPartial({ parent: "hosts/-", pageSize: 450, pageToken, ...change });
    const page = await connection.unary(InstanceServiceService.listInstances, request);
    for (const { name, uid } of page.instances) {
      expect(uid).not.toBe("");
      names.push(name);
    }
    expect(page.totalSize).toBe(change.filter === undefined ? count : 0);
    pageToken = page.nextPageToken;
    if (pageToken === "") return names;
  }
}

test("many lists at once, of several connections, are each whole and in their order", async () => {
  await using fixture = await HubFixture.start();
  const alpha = await fixture.addHost("alpha");
  for (let at = 0; at < count; at += 1) alpha.model.addInstance(`vm${String(at).padStart(4, "0")}`);
  await fixture.hostState("alpha", HostState.HOST_STATE_READY);
  const admin = await loadIdentity(fixture.hub.adminDirectory);
  const connections = Array.from({ length: 4 }, () => fixture.connectAs(admin));
  await expect.poll(async () => (await listAll(fixture.admin, {})).length, { timeout: 60_000 }).toBe(count);
  const expected = await listAll(fixture.admin, {});
  expect(expected).toEqual(expected.toSorted());
  const lists = connections.flatMap((connection) =>
    ["", "name desc", ""].map(async (orderBy) => {
      const names = await listAll(connection, { orderBy });
      expect(names).toEqual(orderBy === "" ? expected : expected.toReversed());
    }),
  );
  await Promise.all(lists);
  expect(await listAll(fixture.admin, { filter: "nothing-is-called-so" })).toEqual([]);
});
