import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { HeardAddresses } from "../../../agent/network/heard/heard-addresses.js";
import { eventually } from "../../helpers/eventually.js";
import { NetworkFixture } from "./fixture.js";

let net: NetworkFixture;
let heard: HeardAddresses;
/** Instances of which something was told. */
let told: string[];

beforeAll(async () => {
  net = await NetworkFixture.open();
  await net.lans.ensureLan({ id: "lan1", uid: randomUUID(), mtu: 1500, rstp: false });
  await open();
});
afterAll(async () => {
  await heard?.close();
  await net?.destroy();
});

async function open(): Promise<void> {
  told = [];
  heard = new HeardAddresses({ switch: net.sw, file: join(net.stateDirectory, "heard.json"), log: net.log });
  heard.onChange((instances) => told.push(...instances));
  await heard.open();
}

const nameOf = (id: string): string => `hosts/t/instances/${id}`;
const addressesOf = (id: string): readonly string[] => heard.ofInstance(nameOf(id)).map(({ address }) => address);

it("hears who has which address, keeps it over a restart, and forgets who left", async () => {
  const { netns, port } = await net.plugContainer("aaa", "lan1", "10.79.1.1/24");
  await run("ip", ["-n", netns, "address", "add", "fd79::1/64", "dev", "eth0"]);
  // Nobody has that address: it is asked for all the same.
  await run("ping", ["-c", "1", "-W", "1", "10.79.1.9"], { netns, acceptedExitCodes: [0, 1] });
  await eventually(() => expect(addressesOf("aaa")).toEqual(expect.arrayContaining(["10.79.1.1", "fd79::1"])));
  expect(told).toContain(nameOf("aaa"));
  const [first] = heard.ofInstance(nameOf("aaa"));
  expect(first).toMatchObject({ endpoint: `${nameOf("aaa")}/nics/eth0`, mac: "02:00:00:61:61:61" });
  const before = heard.ofInstance(nameOf("aaa"));

  await heard.close();
  await open();
  expect(heard.ofInstance(nameOf("aaa"))).toEqual(before);

  await net.lans.unplug(port);
  await eventually(() => expect(addressesOf("aaa")).toEqual([]));
  expect(told).toContain(nameOf("aaa"));
});
