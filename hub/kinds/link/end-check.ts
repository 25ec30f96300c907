import { failedPrecondition, notFound } from "../../../lib/errors.js";
import { isPluggedEnd, parseLinkEnd } from "../../../lib/link-end.js";
import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import type { LinkSpec } from "../../../proto/gen/zor/v1/link.js";
import { PhyServiceService } from "../../../proto/gen/zor/v1/phy_service.js";
import { TapServiceService } from "../../../proto/gen/zor/v1/tap_service.js";
import { askHost, findInstance } from "../../kit/find-instance.js";
import type { HubParts } from "../../kit/hub-kind.js";

type Needed = Pick<HubParts, "fleet" | "inventory">;

/**
 * Looks that what a link joins is there, and that a NIC, tap or phy is plugged into nothing. Resolves to its lans.
 * @throws {ZorError} NOT_FOUND, FAILED_PRECONDITION, or UNAVAILABLE while a host cannot be asked.
 */
export async function findEnds(parts: Needed, spec: LinkSpec): Promise<Lan[]> {
  const lans: Lan[] = [];
  for (const name of [spec.a, spec.b]) {
    const { host, lan } = parseLinkEnd("link.spec", name);
    if (isPluggedEnd(lan)) await assertFree(parts, host, name);
    else lans.push(...(await findLan(parts, host, name)));
  }
  return lans;
}

async function findLan({ fleet, inventory }: Needed, host: string, name: string): Promise<Lan[]> {
  const agent = fleet.agent(host);
  const known = inventory.log.find("lan", name);
  const { lan } = known === undefined ? await askHost(agent, LanServiceService.getLan, { host, name }) : { lan: known };
  return lan === undefined ? [] : [lan];
}

async function assertFree(parts: Needed, host: string, end: string): Promise<void> {
  const lan = end.includes("/nics/") ? await lanOfNic(parts, host, end) : await lanOfMember(parts, host, end);
  if (lan !== "")
    throw failedPrecondition("NIC_PLUGGED", end, `${end} is plugged into lan ${lan}; take it out of that first`);
  const { log } = parts.inventory;
  const ends = [...log.list("wire"), ...log.list("link")];
  const holder = ends.find((each) => each.spec?.a === end || each.spec?.b === end);
  if (holder === undefined) return;
  throw failedPrecondition(
    "NIC_PLUGGED",
    end,
    `${end} is plugged into ${holder.name}; delete that, or unplug it there, first`,
  );
}

/** @throws {ZorError} NOT_FOUND */
async function lanOfMember({ fleet, inventory }: Needed, host: string, name: string): Promise<string> {
  const isTap = name.split("/")[2] === "taps";
  const known = inventory.log.find(isTap ? "tap" : "phy", name);
  if (known !== undefined) return known.spec?.lan ?? "";
  const agent = fleet.agent(host);
  if (isTap) return (await askHost(agent, TapServiceService.getTap, { host, name })).tap?.spec?.lan ?? "";
  return (await askHost(agent, PhyServiceService.getPhy, { host, name })).phy?.spec?.lan ?? "";
}

/** @throws {ZorError} NOT_FOUND */
async function lanOfNic(parts: Needed, host: string, nic: string): Promise<string> {
  const { spec } = await findInstance(parts, host, nic.slice(0, nic.lastIndexOf("/nics/")));
  const id = nic.slice(nic.lastIndexOf("/") + 1);
  const found = spec?.nics.find(({ name }) => name === id);
  const names = (spec?.nics ?? []).map(({ name }) => name).join(", ");
  if (found === undefined) throw notFound(nic, `the instance has ${names === "" ? "no NICs" : names}`);
  return found.lan;
}
