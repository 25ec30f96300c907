import { describe, expect, it } from "vitest";
import { Nat, NatProtocol, NatState } from "../../../../proto/gen/zor/v1/nat.js";
import { natCommands } from "../../../../tui/kinds/nat/flags.js";
import { deletingNat } from "../../../../tui/kinds/nat/impact.js";

const input = (values: Readonly<Record<string, unknown>>) => ({
  name: "hosts/alpha/nats/n1",
  words: [],
  values,
  current: async () => ({}),
  resolve: async (_kind: string, text: string) => `hosts/alpha/lans/${text}`,
});
const create = (values: Readonly<Record<string, unknown>>) => Promise.resolve(natCommands.create?.read(input(values)));
const set = (values: Readonly<Record<string, unknown>>) => Promise.resolve(natCommands.set?.read(input(values)));

describe("the flags of nats", () => {
  it("say what is made", async () => {
    const values = { lan: "lan1", subnet: "10.1.0.0/24", dhcp: false, dhcpRange: "10.1.0.100-10.1.0.199" };
    expect(await create({ ...values, forward: ["8080:10.1.0.9:80", "10.0.0.1:53:10.1.0.8/udp"] })).toEqual({
      spec: {
        ...{ lan: "lan1", subnet: "10.1.0.0/24", subnet6: "", noDhcp: true },
        ...{ dhcpFirst: "10.1.0.100", dhcpLast: "10.1.0.199" },
        forwards: [
          ...[
            {
              protocol: NatProtocol.NAT_PROTOCOL_TCP,
              listenAddress: "",
              listenPort: 8080,
              address: "10.1.0.9",
              port: 80,
            },
          ],
          ...[
            {
              protocol: NatProtocol.NAT_PROTOCOL_UDP,
              listenAddress: "10.0.0.1",
              listenPort: 53,
              address: "10.1.0.8",
              port: 53,
            },
          ],
        ],
      },
    });
    expect(await create({ reserve: ["nic=web/eth0,address=10.1.0.9,name=www"] })).toMatchObject({
      spec: { reservations: [{ mac: "", nic: "web/eth0", address: "10.1.0.9", name: "www" }] },
    });
  });

  it("change only what they say", async () => {
    expect(await set({ domain: "lab.example" })).toEqual({
      resource: { spec: { domain: "lab.example" } },
      paths: ["spec.domain"],
    });
    expect(await set({ lan: false, forward: false, reserve: false, boot: false, dhcp: true })).toEqual({
      resource: { spec: { noDhcp: false } },
      paths: ["spec.lan", "spec.reservations", "spec.forwards", "spec.boot", "spec.no_dhcp"],
    });
    expect(await set({ bootDir: "/srv/tftp", bootFile: "pxelinux.0", port: "vlan=10" })).toMatchObject({
      resource: { spec: { boot: { directory: "/srv/tftp", file: "pxelinux.0" }, portSettings: { vlan: { tag: 10 } } } },
      paths: ["spec.port_settings", "spec.boot"],
    });
    expect(await set({})).toEqual({ resource: { spec: {} }, paths: [] });
  });

  it.each([
    [{ forward: ["80"] }, /--forward: "80" does not have the form/],
    [{ forward: ["80:web:80"] }, /--forward/],
    [{ forward: ["99999:10.1.0.9"] }, /--forward: "99999" is not a whole number/],
    [{ forward: ["80:10.1.0.9:80/sctp"] }, /--forward/],
    [{ reserve: ["ip=10.1.0.9"] }, /--reserve: .*the keys are mac, nic, address, name/],
    [{ reserve: ["mac=a,mac=b"] }, /"mac" is given twice/],
    [{ dhcpRange: "10.1.0.9" }, /--dhcp-range: .*FIRST-LAST/],
    [{ bootDir: "/srv" }, /--boot-dir and --boot-file go together/],
  ])("of %j say what is wrong", async (values, why) => {
    await expect(create(values)).rejects.toThrow(why);
  });
});

it("deleting a nat says who loses what", () => {
  const status = { state: NatState.NAT_STATE_READY, leaseCount: 3 };
  expect(deletingNat(Nat.fromPartial({ spec: { lan: "lan1" }, status }))).toBe(
    "lan1 has no way out any more; 3 leases end",
  );
  expect(deletingNat(Nat.fromPartial({ spec: {} }))).toBe("it is in no lan");
});
