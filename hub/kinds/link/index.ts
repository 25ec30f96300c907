import type { HubKind } from "../../kit/hub-kind.js";
import { jointOfLink } from "./joint.js";
import { LinkHosts } from "./link-hosts.js";
import { LinkOperations } from "./link-operations.js";
import { decodeLink } from "./link-record.js";
import { linkHandlers } from "./link-service.js";
import { Links } from "./links.js";
import { ObservedEnds } from "./observed/observed-ends.js";
import { watchEnds } from "./observed/watch-ends.js";
import { createExecutors } from "./reconcile/executors.js";
import { Reconciler } from "./reconcile/loop.js";
import { Progress } from "./reconcile/progress.js";
import { relayedLinks } from "./relayed-links.js";

/** Links: declared on the hub, made of an end on each of two hosts. */
export const linkKind: HubKind = {
  kind: "link",
  create: (parts) => {
    const { inventory, fleet, relay, store, operations, references, topology, remarks, addresses, log, stop } = parts;
    const { meter } = relay.records;
    const hosts = new LinkHosts(fleet, (address) => addresses.isOwn(address));
    const ends = new ObservedEnds();
    const links = new Links({ inventory, ends, fleet, hosts, remarks, relayedBytes: (uid) => meter.ofLink(uid) });
    relay.carry(relayedLinks(links, fleet));
    const progress = new Progress();
    const linkOperations = new LinkOperations({ store, links, stop });
    const executors = createExecutors({ fleet, ends, links, progress, store, onForgotten: (uid) => meter.forget(uid) });
    const reconciler = new Reconciler({
      ...{ hosts, ends, links, progress, executors, log },
      relay: () => relay.access(),
      onRefused: (link, error) => linkOperations.refuse(link, error),
    });
    const reconcile = (): void => {
      relay.recheck();
      reconciler.trigger();
    };
    links.onDesired(reconcile);
    ends.onChange((names) => {
      links.refresh(names);
      reconciler.trigger();
    });
    fleet.addPart(watchEnds(ends, log));
    fleet.onChange((host) => {
      links.refresh(links.onHost(host));
      reconcile();
    });
    remarks.onChange((names) => links.refresh(names));
    topology.addJoiner("link", jointOfLink);
    references.add("link", links.dependents);
    operations.addWork("link", linkOperations);
    return {
      handlers: linkHandlers({ ...parts, hosts, links }),
      load: async () => {
        for (const stored of await store.list("links")) links.put(decodeLink(stored));
      },
      serving: reconcile,
      keep: () => [meter.plan(fleet.uids())],
      close: () => reconciler.close(),
    };
  },
};
