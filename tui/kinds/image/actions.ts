import type { Image } from "../../../proto/gen/zor/v1/image.js";
import { ImageServiceService, ListImagesRequest, PushImageRequest } from "../../../proto/gen/zor/v1/image_service.js";
import { type Host, HostState } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { listed } from "../../../lib/words.js";
import { type Action, type ActionCall, deletes, deletesBy } from "../../kit/action.js";
import type { FleetView } from "../../kit/fleet/fleet-view.js";
import { shortName } from "../../kit/resource-name.js";
import type { Row } from "../../kit/row.js";

/** Why an image cannot be deleted. */
function whyKept({ status }: Image): string | undefined {
  if (status?.origin === "directory") return "it lies in an image directory of the host; remove it there";
  const [first] = status?.usedBy ?? [];
  return first === undefined ? undefined : `${shortName(first)} uses it`;
}

/** Names of the hosts that answer and have no image of that name. */
function lacking(row: Row<Image>, fleet: FleetView): readonly string[] {
  const has = new Set([...fleet.rowsOf("image")].filter(({ id }) => id === row.id).map(({ host }) => host));
  const hosts = [...fleet.rowsOf("host")].map(({ id }) => id);
  return hosts.filter((id) => !has.has(id) && fleet.isReachable(id)).map((id) => `hosts/${id}`);
}

/** The same as the hub has it now. */
async function findTargets(row: Row<Image>, { connection, options }: ActionCall): Promise<string[]> {
  const parent = "hosts/-";
  const [{ hosts }, { images }] = await Promise.all([
    connection.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({ pageSize }), options),
    connection.unary(ImageServiceService.listImages, ListImagesRequest.fromPartial({ parent, pageSize }), options),
  ]);
  const has = new Set(images.map(({ name }) => name));
  const isReady = ({ state }: Host): boolean => state === HostState.HOST_STATE_READY;
  const lacks = ({ name }: Host): boolean => !has.has(`${name}/images/${row.id}`);
  return hosts.filter((host) => isReady(host) && lacks(host)).map(({ name }) => name);
}

const pageSize = 1000;

/** What can be asked of an image. */
export const imageActions: readonly Action<Image>[] = [
  {
    verb: "verify",
    keys: ["v"],
    title: "read it whole and compare it with its digest",
    hint: "verify",
    effect: () => "reads it whole; nothing changes unless it is damaged",
    isDoneBy: (type) => type === "image.verified" || type === "image.damaged",
    run: async (_, { connection, request, options }) =>
      (await connection.unary(ImageServiceService.verifyImage, request, options)).operation,
  },
  {
    verb: "push",
    keys: ["p"],
    title: "copy it to all other hosts that answer and lack it",
    hint: "push",
    whyNot: (row, fleet) => {
      if (row.resource.status?.origin === "directory") return "it lies in an image directory; import it first";
      return lacking(row, fleet).length === 0 ? "every host that answers has one of that name" : undefined;
    },
    effect: (row, fleet) => `goes to ${listed(lacking(row, fleet).map(shortName), 4)}`,
    isDoneBy: (type) => type === "image.received",
    run: async (row, call) => {
      const { connection, request, options } = call;
      const targets = await findTargets(row, call);
      const push = PushImageRequest.fromPartial({ ...request, targets });
      return (await connection.unary(ImageServiceService.pushImage, push, options)).operation;
    },
  },
  {
    ...deletes,
    whyNot: (row) => whyKept(row.resource),
    effect: () => "its content goes when no other image has it",
    ...deletesBy(ImageServiceService.deleteImage),
  },
];
