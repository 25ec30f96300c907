import type { InstanceDriver } from "../../../agent/drivers/driver.js";
import type { InstanceNetwork } from "../../../agent/network/instance-networks.js";
import { run } from "../../../agent/host/exec.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";

/** A prepared network of one interface, as the agent's network layer makes it, with a far end that can be pinged from. */
export interface InstanceNetworkFixture extends AsyncDisposable {
  readonly network: InstanceNetwork;
  /** Address of the instance, without prefix length. */
  readonly instanceAddress: string;
  /** Sends one ping to the instance; rejects when no answer comes within 5 s, as it would on a busy machine. */
  ping(): Promise<void>;
}

const instanceAddress = "10.99.0.2";
const mac = "02:00:00:00:00:99";
const mtu = 1400;

/** For drivers whose runtime brings its own, or whose instances have others beside it. */
const noNetwork: InstanceNetworkFixture = {
  network: { netns: "", nics: [] },
  instanceAddress: "",
  ping: () => Promise.reject(new Error("there is no network")),
  [Symbol.asyncDispose]: async () => undefined,
};

/** Makes the interface of the kind that the driver wants. */
export async function makeInstanceNetwork(driver: InstanceDriver): Promise<InstanceNetworkFixture> {
  if (driver.network === "own" || driver.network === "host") return noNetwork;
  const far = await makeNetns("far");
  const port = "ztport0";
  const own = driver.network === "join" ? await makeNetns("own") : undefined;
  if (own === undefined) await far.addTap(port);
  else await addVeth(far, own, port);
  await far.ip("address", "add", "10.99.0.1/24", "dev", port);
  await far.ip("link", "set", port, "mtu", String(mtu), "up");
  return {
    network: {
      netns: (own ?? far).name,
      nics: [{ nic: "eth0", mac, mtu, addresses: [`${instanceAddress}/24`], port }],
    },
    instanceAddress,
    ping: async () => {
      await run("ip", ["netns", "exec", far.name, "ping", "-c", "1", "-W", "5", instanceAddress]);
    },
    [Symbol.asyncDispose]: async () => {
      await own?.[Symbol.asyncDispose]();
      await far[Symbol.asyncDispose]();
    },
  };
}

async function addVeth(far: TestNetns, own: TestNetns, port: string): Promise<void> {
  await far.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", own.name);
  await own.ip("link", "set", "eth0", "address", mac, "mtu", String(mtu), "up");
  await own.ip("address", "add", `${instanceAddress}/24`, "dev", "eth0");
}
