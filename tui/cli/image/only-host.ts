import { invalidArgument } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import { listed } from "../../../lib/words.js";
import { HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { idOf } from "../../kit/resource-name.js";
import type { Session } from "../session.js";

/** The host that is named, or the only one. @throws {ZorError} INVALID_ARGUMENT when there are several to choose from. */
export async function onlyHost(session: Session, named: string | undefined): Promise<string> {
  if (named !== undefined) return `hosts/${parseId("--host", named.replace(/^hosts\//, ""))}`;
  const { hosts } = await session.call(HostServiceService.listHosts, ListHostsRequest.fromPartial({}));
  const [host] = hosts;
  if (host !== undefined && hosts.length === 1) return host.name;
  const names = hosts.map(({ name }) => idOf(name));
  throw invalidArgument(
    "--host",
    `say which host: ${hosts.length === 0 ? "there is none yet" : listed(names, 8, "or")}`,
  );
}
