import type { HeardAddress } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceContext } from "./context.js";
import type { InstanceRecord } from "./record.js";
import type { InstanceRecords } from "./records.js";

/** Shows which addresses instances were heard to have: those known now, and from now on what changes. */
export function followHeard({ networks, publish }: InstanceContext, records: InstanceRecords): void {
  const { heard } = networks;
  if (heard === undefined) return;
  const show = (record: InstanceRecord): void => {
    record.heard = heard.ofInstance(record.stored.resource.name).map(
      ({ endpoint, address, mac, sinceMs }): HeardAddress => ({
        nic: endpoint.slice(endpoint.lastIndexOf("/") + 1),
        address,
        mac,
        sinceTime: new Date(sinceMs),
      }),
    );
    publish(record);
  };
  for (const record of records.all()) if (heard.ofInstance(record.stored.resource.name).length > 0) show(record);
  heard.onChange((instances) => {
    for (const name of instances) {
      const record = records.get(name.slice(name.lastIndexOf("/") + 1));
      if (record !== undefined) show(record);
    }
  });
}
