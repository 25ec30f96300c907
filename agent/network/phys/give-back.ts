import { writeFileSync } from "node:fs";
import { pause } from "../../../lib/backoff.js";
import { failedPrecondition, messageOf } from "../../../lib/errors.js";
import { findDevice } from "../../../lib/net/device.js";
import { run } from "../../host/exec.js";
import { findLink, ip, ipBatch, type Link, listLinks } from "../ip.js";
import { toPhyPortName } from "../names.js";
import { type PhyRecord, phyTag } from "./phy-record.js";
import { readSetting, settingPath } from "./read-facts.js";
import { returnPlan, surplus } from "./return-plan.js";

const [carrierMs, pollMs] = [5000, 50];

/** Whose interfaces are looked for. */
export interface PhyOwner {
  /** Net namespace of the switch. */
  readonly netns: string;
  readonly agentUid: string;
}

/** Where an interface is that was taken. */
export interface TakenDevice {
  readonly link: Link;
  /** In the switch's namespace, under the port's name; else in the host's, under whichever. */
  readonly isInside: boolean;
}

/** Finds an interface by its mark; undefined: it is gone, or nobody has marked it yet. @throws {ToolError} */
export async function findTaken({ netns, agentUid }: PhyOwner, uid: string): Promise<TakenDevice | undefined> {
  const tag = phyTag(agentUid, uid);
  const inside = await findLink(toPhyPortName(uid), { netns }).catch(() => undefined);
  if (inside?.ifalias === tag) return { link: inside, isInside: true };
  const outside = (await listLinks({})).find(({ ifalias }) => ifalias === tag);
  return outside === undefined ? undefined : { link: outside, isInside: false };
}

/** What came of giving an interface back. */
export interface GivenBack {
  /** False: there was none to give back. */
  readonly isThere: boolean;
  /** What the host does not take any more, for people: a route whose gateway went elsewhere meanwhile. */
  readonly lost: readonly string[];
}

/**
 * Gives an interface back to the host as the record has it. Idempotent; what was cut short is done again from its beginning, since the mark
 * goes last.
 * @throws {ZorError} FAILED_PRECONDITION DEVICE_TAKEN: the host has another one of that name.
 */
export async function giveBack(
  owner: PhyOwner,
  { uid, name, device, facts }: Pick<PhyRecord, "uid" | "name" | "device" | "facts">,
): Promise<GivenBack> {
  const taken = await findTaken(owner, uid);
  if (taken === undefined) return { isThere: false, lost: [] };
  const { ifname } = taken.link;
  if ((taken.isInside || ifname !== device) && (await findLink(device, {})) !== undefined) {
    const message = `${name}: the host has another interface ${device} by now; rename that, then ${device} is given back`;
    throw failedPrecondition("DEVICE_TAKEN", name, message);
  }
  if (taken.isInside) {
    const move = ["link", "set", "dev", ifname, "netns", String(process.pid), "name", device];
    await ip(move, { netns: owner.netns });
  } else if (ifname !== device) {
    await ipBatch(
      [
        ["link", "set", "dev", ifname, "down"],
        ["link", "set", "dev", ifname, "name", device],
      ],
      {},
    );
  }
  if (facts === undefined) {
    await ip(["link", "set", "dev", device, "alias", ""], {});
    return { isThere: true, lost: ["all but its name: its record is lost"] };
  }
  const plan = returnPlan(device, facts, taken.link.address);
  await ipBatch(plan.prepare, {});
  writeSettings(device, plan.settings);
  const commands = [...plan.addresses, ...plan.routes, ...plan.finish].map((words) => ["ip", ...words]);
  const lost: string[] = [];
  for (const [tool = "", ...words] of [...commands, ...(plan.qdisc === undefined ? [] : [["tc", ...plan.qdisc]])]) {
    // One thing that the host does not take any more must not keep all others from it.
    await run(tool, words).catch((error: unknown) => lost.push(`${words.join(" ")} (${messageOf(error)})`));
  }
  // The kernel gives it an address of its link when it has carrier.
  if (facts.link.flags.includes("LOWER_UP")) await untilRunning(device);
  const present = (await findLink(device, {}))?.addr_info ?? [];
  await ipBatch(surplus(device, facts, present), {});
  await ip(["link", "set", "dev", device, "alias", plan.alias], {});
  return { isThere: true, lost };
}

/** Waits until an interface has carrier, as long as a network card needs to agree with the other end. */
async function untilRunning(device: string): Promise<void> {
  for (const deadline = performance.now() + carrierMs; performance.now() < deadline; ) {
    if (findDevice(undefined, device)?.isRunning !== false) return;
    await pause(pollMs, new AbortController().signal);
  }
}

/** Writes what differs. Some the kernel computes by itself, and takes no others. */
function writeSettings(device: string, settings: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(settings)) {
    const path = settingPath(device, key);
    if (readSetting(path) === value) continue;
    try {
      writeFileSync(path, value);
    } catch {
      // Read only, or out of the range that this kernel has for it now.
    }
  }
}
