import { expect } from "vitest";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { type Link, LinkSpec, LinkState } from "../../../proto/gen/zor/v1/link.js";
import {
  CreateLinkRequest,
  type DiagnosedHop,
  type LinkDiagnosis,
  LinkServiceService,
  ListLinksRequest,
} from "../../../proto/gen/zor/v1/link_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import type { FakeHost, HubFixture } from "./fixture.js";

/** Name of a lan. */
export const lan = (host: string, id = "lan1"): string => `hosts/${host}/lans/${id}`;

/** Two hosts, each with a lan. */
export interface Pair {
  readonly alpha: FakeHost;
  readonly beta: FakeHost;
}

export async function startPair(
  fixture: HubFixture,
  options: { undialable?: "alpha" | "beta" | "both" } = {},
): Promise<Pair> {
  const hidden = (id: string): boolean => options.undialable === id || options.undialable === "both";
  const alpha = await fixture.addHost("alpha", { undialable: hidden("alpha") });
  const beta = await fixture.addHost("beta", { undialable: hidden("beta") });
  for (const host of [alpha, beta]) host.model.addLan("lan1");
  for (const id of ["alpha", "beta"]) await fixture.hostState(id, HostState.HOST_STATE_READY);
  return { alpha, beta };
}

/** Asks for a link. */
export async function createLink(
  fixture: HubFixture,
  id: string,
  /** Between lan1 of alpha and lan1 of beta, unless it says otherwise. */
  spec: Partial<LinkSpec> = {},
): Promise<Operation> {
  const { operation } = await fixture.admin.unary(
    LinkServiceService.createLink,
    CreateLinkRequest.fromPartial({
      linkId: id,
      link: { spec: LinkSpec.fromPartial({ a: lan("alpha"), b: lan("beta"), ...spec }) },
    }),
  );
  if (operation === undefined) throw new Error("the answer has no operation");
  return operation;
}

/** The operation when it has ended. */
export async function waitFor(fixture: HubFixture, operation: Operation): Promise<Operation> {
  const { operation: ended } = await fixture.admin.unary(OperationServiceService.waitOperation, {
    name: operation.name,
    timeout: { seconds: 60n, nanos: 0 },
  });
  if (ended === undefined) throw new Error("the answer has no operation");
  return ended;
}

export async function getLink(fixture: HubFixture, id: string): Promise<Link> {
  const { link } = await fixture.admin.unary(LinkServiceService.getLink, { name: `links/${id}` });
  if (link === undefined) throw new Error("the answer has no link");
  return link;
}

/** Waits until a link has a state. */
export async function linkState(fixture: HubFixture, id: string, state: LinkState): Promise<Link> {
  const current = async () => LinkState[(await getLink(fixture, id)).status?.state ?? 0];
  await expect.poll(current, { timeout: 60_000 }).toBe(LinkState[state]);
  return getLink(fixture, id);
}

export async function linkNames(fixture: HubFixture): Promise<string[]> {
  const { links } = await fixture.admin.unary(LinkServiceService.listLinks, ListLinksRequest.fromPartial({}));
  return links.map(({ name }) => name);
}

/** All hops and the conclusion, which must be last. */
export async function diagnose(
  fixture: HubFixture,
  id: string,
): Promise<{ readonly hops: DiagnosedHop[]; readonly diagnosis: LinkDiagnosis }> {
  const hops: DiagnosedHop[] = [];
  let diagnosis: LinkDiagnosis | undefined;
  for await (const { message } of fixture.admin.stream(LinkServiceService.diagnoseLink, { name: `links/${id}` })) {
    expect(diagnosis).toBeUndefined();
    if (message?.$case === "hop") hops.push(message.value);
    else diagnosis = message?.value;
  }
  if (diagnosis === undefined) throw new Error("the diagnosis has no conclusion");
  return { hops, diagnosis };
}
