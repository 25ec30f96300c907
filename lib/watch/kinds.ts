import { type Resource, ResourceKind } from "../../proto/gen/zor/v1/watch_service.js";

/** A watched resource of any kind: its case names the kind. */
export type AnyResource = NonNullable<Resource["resource"]>;

/** The message type of each case. */
export type ResourceValues = { readonly [R in AnyResource as R["$case"]]: R["value"] };

/** Kind of each case of {@link AnyResource}. */
export const kindByCase: Readonly<Record<AnyResource["$case"], ResourceKind>> = {
  host: ResourceKind.RESOURCE_KIND_HOST,
  instance: ResourceKind.RESOURCE_KIND_INSTANCE,
  lan: ResourceKind.RESOURCE_KIND_LAN,
  link: ResourceKind.RESOURCE_KIND_LINK,
  operation: ResourceKind.RESOURCE_KIND_OPERATION,
  event: ResourceKind.RESOURCE_KIND_EVENT,
  a2b: ResourceKind.RESOURCE_KIND_A2B,
};

/** Kind of a resource. */
export function kindOf(resource: AnyResource): ResourceKind {
  return kindByCase[resource.$case];
}

/** Name of a resource. */
export function nameOf(resource: AnyResource): string {
  return resource.value.name;
}
