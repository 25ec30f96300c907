import { notFound } from "../../../../lib/errors.js";
import { checkMeasuredName } from "../../../../lib/figures/check-selection.js";
import type { CallContext } from "../../../../lib/grpc/service.js";
import { findHostSegment } from "../../../../lib/names.js";
import {
  FiguresServiceService,
  type ReadHistoryRequest,
  type ReadHistoryResponse,
} from "../../../../proto/gen/zor/v1/figures_service.js";
import type { Link } from "../../../../proto/gen/zor/v1/link.js";
import { handlersOf, type KindHandlers } from "../../../kit/handlers.js";
import type { HubParts } from "../../../kit/hub-kind.js";
import { FleetFigures } from "./watch-fleet.js";

/** Agents measure; the hub passes on what all of them do. */
export function figureHandlers(parts: HubParts): KindHandlers {
  const figures = new FleetFigures(parts);
  return handlersOf(FiguresServiceService, {
    watchFigures: (request, context) => figures.watch(request, context),
    readHistory: (request, context) => readHistory(parts, request, context),
  });
}

/** What a host measured is asked of its agent; what passed a link, of both its ends. */
async function readHistory(
  { router, inventory }: HubParts,
  request: ReadHistoryRequest,
  context: CallContext,
): Promise<ReadHistoryResponse> {
  checkMeasuredName("name", request.name);
  const method = FiguresServiceService.readHistory;
  const host = findHostSegment("name", request.name);
  if (host !== undefined) return router.unary(method, { host, request }, context);
  const link = inventory.log.find("link", request.name);
  if (link === undefined) throw notFound(request.name, "list them with: zor get links");
  const asked = hostsOf(link).map((each) => router.unary(method, { host: each, request }, context));
  const answers = await Promise.allSettled(asked);
  const series = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value.series : []));
  const failed = answers.find((answer) => answer.status === "rejected");
  if (series.length === 0 && failed !== undefined) throw failed.reason;
  return { series };
}

function hostsOf({ spec }: Pick<Link, "spec">): readonly string[] {
  const ends = [spec?.a ?? "", spec?.b ?? ""].filter((name) => name !== "");
  return [...new Set(ends.map((name) => findHostSegment("name", name) ?? ""))].filter((host) => host !== "");
}
