import { BoxRig } from "../a2b/box-rig.js";
import { type TwoHosts, underlayDevice } from "../c2c/two-hosts.js";

/**
 * Puts a box of our own between two hosts in place of their wire: 150 ms in each direction, 5 % of the frames lost in each.
 * Connections that are there go on through it.
 */
export async function slowUnderlay(hosts: TwoHosts): Promise<AsyncDisposable> {
  const impairment = { delayMs: 150, lossRatio: 0.05 };
  const rig = await BoxRig.make({ aToB: impairment, bToA: impairment });
  await hosts.a.underlay.ip("link", "delete", underlayDevice);
  const [sideA, sideB] = rig.view().sides;
  for (const [host, netns, { port }] of [
    [hosts.a, rig.a, sideA],
    [hosts.b, rig.b, sideB],
  ] as const) {
    await netns.ip("link", "set", port, "netns", host.underlay.name);
    await host.underlay.ip("address", "add", `${host.underlayIp}/24`, "dev", port);
    await host.underlay.ip("link", "set", port, "txqueuelen", "2048", "up");
  }
  return rig;
}
