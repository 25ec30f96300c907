import { expect, test } from "vitest";
import { FilterMembers } from "../../../../../agent/kinds/instance/filter-members.js";
import { Instance } from "../../../../../proto/gen/zor/v1/instance.js";

const instance = (id: string, role: string, heard: readonly string[] = []) =>
  Instance.fromPartial({
    name: `hosts/a/instances/${id}`,
    labels: { role },
    spec: { nics: [{ name: "eth0", addresses: ["10.0.0.1/24", "2001:db8::1/64"] }] },
    status: { heardAddresses: heard.map((address) => ({ nic: "eth1", address, mac: "02:00:00:00:00:01" })) },
  });

test("instances are found by their labels, with the addresses they have and were heard to have", () => {
  const members = new FilterMembers(() => undefined);
  members.seen(instance("w1", "web", ["10.0.0.9"]));
  members.seen(instance("d1", "db"));
  expect(members.addressesOf("labels.role = web")).toEqual(["10.0.0.1", "10.0.0.9", "2001:db8::1"]);
  expect(members.addressesOf("labels.role = none")).toEqual([]);
  expect(members.heardOf("hosts/a/instances/w1/nics/eth1")).toEqual(["10.0.0.9"]);
  expect(members.heardOf("hosts/a/instances/w1/nics/eth0")).toEqual([]);
});

test("only what filters go by is told as a change", () => {
  let changes = 0;
  const members = new FilterMembers(() => {
    changes += 1;
  });
  members.seen(instance("w1", "web"));
  members.seen({ ...instance("w1", "web"), etag: "other" });
  expect(changes).toBe(1);
  members.seen(instance("w1", "db"));
  members.seen(instance("w1", "db", ["10.0.0.9"]));
  members.gone("hosts/a/instances/w1");
  members.gone("hosts/a/instances/w1");
  expect([changes, members.addressesOf("labels.role = db")]).toEqual([4, []]);
});
